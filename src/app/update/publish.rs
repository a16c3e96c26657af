//! Publishing.

use crate::app::job::Job;
use crate::app::publish::{PublishCommand, PublishJob, PublishNews, PublishOrder, Sending};
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
        let number = self.number();
        self.publish.going = Some(Sending { number, run: order.run });
        self.publish.address.clone_from(&order.address);
        (self.publish.trouble, self.publish.done) = (None, None);
        let token_file = self.publish.token_file.clone();
        vec![Job::Publish(PublishJob::Send { number, order, run, token_file })]
    }

    pub(super) fn publish_news(&mut self, news: PublishNews) -> Vec<Job> {
        let going = self.publish.going;
        let run_of = |number| going.filter(|sending| sending.number == number).map(|sending| sending.run);
        match news {
            PublishNews::TokenFilePicked(path) => self.publish.token_file = Some(path),
            PublishNews::Done(number, published) => {
                // Without one it was cancelled at the last moment.
                let Some(run) = run_of(number) else { return Vec::new() };
                self.publish.going = None;
                // The login is in the keyring now, or the remarks say why not.
                self.publish.token_file = None;
                self.inform(format!("Published “{}” to {}", published.name, published.address), None);
                for remark in &published.remarks {
                    self.warn("About what was published".to_owned(), remark.clone());
                }
                self.publish.done = Some((run, *published));
            }
            PublishNews::Failed(number, reason) => {
                if run_of(number).is_some() {
                    self.publish.going = None;
                    self.publish.trouble = Some(reason);
                }
            }
        }
        Vec::new()
    }
}
