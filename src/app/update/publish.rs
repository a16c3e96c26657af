//! Publishing.

use crate::app::job::Job;
use crate::app::publish::{PublishCommand, PublishJob, PublishNews, PublishOrder};
use crate::app::state::{Open, State};

impl State {
    pub(super) fn publish_command(&mut self, command: PublishCommand) -> Vec<Job> {
        match command {
            PublishCommand::PickTokenFile => return vec![Job::Publish(PublishJob::PickTokenFile)],
            PublishCommand::Send(order) => return self.publish(order),
            PublishCommand::Cancel => {
                self.publish.going = None;
                return vec![Job::Publish(PublishJob::Cancel)];
            }
            PublishCommand::ForgetTokenFile => self.publish.token_file = None,
            PublishCommand::DismissTrouble => self.publish.trouble = None,
        }
        Vec::new()
    }

    fn publish(&mut self, order: PublishOrder) -> Vec<Job> {
        let run = match &self.open {
            Open::Result(run) if run.id == order.run && self.publish.going.is_none() => run.clone(),
            _ => return Vec::new(),
        };
        self.publish.going = Some(order.run);
        self.publish.address.clone_from(&order.address);
        (self.publish.trouble, self.publish.done) = (None, None);
        let token_file = self.publish.token_file.clone();
        vec![Job::Publish(PublishJob::Send { order, run, token_file })]
    }

    pub(super) fn publish_news(&mut self, news: PublishNews) -> Vec<Job> {
        match news {
            PublishNews::TokenFilePicked(path) => self.publish.token_file = Some(path),
            PublishNews::Done(id, published) if self.publish.going == Some(id) => {
                self.publish.going = None;
                // The login is in the keyring now, or the remarks say why not.
                self.publish.token_file = None;
                self.inform(format!("Published “{}” to {}", published.name, published.address), None);
                for remark in &published.remarks {
                    self.warn("About what was published".to_owned(), remark.clone());
                }
                self.publish.done = Some((id, *published));
            }
            PublishNews::Failed(id, reason) if self.publish.going == Some(id) => {
                self.publish.going = None;
                self.publish.trouble = Some(reason);
            }
            // Cancelled at the last moment.
            PublishNews::Done(..) | PublishNews::Failed(..) => {}
        }
        Vec::new()
    }
}
