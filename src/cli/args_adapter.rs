//! What can be asked of adapters on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::model::duration;

/// The longest silence of an operation, unless told otherwise.
const WAIT: &str = "5m";

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  \
        meshbench adapter list\n  \
        meshbench adapter ops istio\n  \
        meshbench adapter apply istio istio.sample.bookinfo --context dev --namespace shop\n  \
        meshbench adapter apply localhost:10000 custom --context dev --file gateway.yaml --yes --json\n  \
        meshbench adapter events localhost:10000 --for 10m\n  \
        meshbench adapter --listen 127.0.0.1:10100 --mesh linkerd\n\n\
        An adapter is named by its name here, by its address (which needs not be added), or, of those that are built\n\
        in, by its mesh: istio, istio-ambient, linkerd, consul, kuma, cilium, network-service-mesh.\n\n\
        --listen serves one built-in adapter over gRPC (meshes.MeshService, with reflection and health) until Ctrl-C,\n\
        for Meshery, grpcurl and the like. The contract has one mesh for each adapter: for another mesh, serve a\n\
        second one at another port."
)]
pub(super) struct AdapterArgs {
    #[command(subcommand)]
    pub(super) what: Option<AdapterWhat>,
    #[command(flatten)]
    pub(super) serve: ServeArgs,
}

/// A built-in adapter for others.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Serve a built-in adapter at this address and port; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<SocketAddr>,
    /// The mesh that it operates
    #[arg(long, value_name = "MESH", default_value = "istio", requires = "listen")]
    pub(super) mesh: String,
    /// Speak TLS with this certificate (PEM, with those that signed it)
    #[arg(long, value_name = "FILE", requires = "listen", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,
    /// Its private key (PEM, without a password)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
    /// Allow an address that other machines can reach: whoever reaches it can operate clusters with kubeconfigs that they
    /// hand over, and without TLS these can be read on the way
    #[arg(long, requires = "listen")]
    pub(super) open: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum AdapterWhat {
    /// Those that are built in and those that were added: where they are, and whether they answer
    List {
        /// As a JSON array instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Keep an adapter in mind
    Add {
        /// localhost:10000, http://host:port or https://host:port
        address: String,
        /// What it is called here [default: its own name]
        #[arg(long)]
        name: Option<String>,
    },
    /// Forget an adapter
    Remove {
        /// Its name or address
        #[arg(value_name = "NAME|ADDRESS")]
        adapter: String,
    },
    /// Whether an adapter answers, and what it says of itself
    Ping(OfAdapter),
    /// What an adapter offers, by category
    Ops(OfAdapter),
    /// Ask for an operation and follow it to its end
    #[command(after_help = "What it will do to which cluster is said first.\n\
        Exit status: 0 done, 1 the operation failed, 2 bad input, 3 it could not be carried out, or its end was not\n\
        heard of.")]
    Apply(Box<ApplyArgs>),
    /// What an adapter reports, as it comes, one line each, until Ctrl-C
    Events {
        #[command(flatten)]
        of: OfAdapter,
        /// End after this time
        #[arg(long = "for", value_name = "TIME", value_parser = duration::parse)]
        time: Option<Duration>,
    },
}

/// One adapter.
#[derive(Debug, Args)]
pub(super) struct OfAdapter {
    /// Its name or address; of those that are built in, the mesh
    #[arg(value_name = "NAME|ADDRESS")]
    pub(super) adapter: String,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    pub(super) of: OfAdapter,
    /// The operation's key; see: meshbench adapter ops
    pub(super) operation: String,
    /// In which cluster, by its context; may be repeated
    #[arg(long, value_name = "CONTEXT", required = true)]
    pub(super) context: Vec<String>,
    /// Use this kubeconfig, for this command only
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Where [default: the namespace of the first context; a search for mistakes looks everywhere]
    #[arg(long, value_name = "NAME")]
    pub(super) namespace: Option<String>,
    /// Undo it, or take away what it made
    #[arg(long)]
    pub(super) delete: bool,
    /// Which version of the mesh [default: the adapter's choice]
    #[arg(long, value_name = "VERSION")]
    pub(super) version: Option<String>,
    /// The manifest of a custom operation, or what an operation takes as YAML; - reads standard input
    #[arg(long, value_name = "FILE.yaml")]
    pub(super) file: Option<PathBuf>,
    /// Follow it no longer than this after its last word
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = WAIT)]
    pub(super) wait: Duration,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
    /// Agree to an operation in this context, which is marked as production
    #[arg(long, value_name = "CONTEXT")]
    pub(super) production: Option<String>,
    /// Agree to send the cluster's login where everybody on the way can read it
    #[arg(long)]
    pub(super) agree_to_send_login: bool,
}
