//! Saved plans and the form.

use crate::app::command::Page;
use crate::app::job::Job;
use crate::app::state::{PlanId, SavedPlan, State};
use crate::app::update::Fresh;
use crate::model::Plan;

impl State {
    pub(super) fn edit_plan(&mut self, plan: Box<Plan>) -> Vec<Job> {
        let number = self.number();
        self.form = Some((number, plan));
        self.dismiss_failed_run();
        self.go(Page::Load)
    }

    pub(super) fn save_plan(&mut self, id: Option<PlanId>, plan: Box<Plan>, fresh: Fresh) -> Vec<Job> {
        if plan.name.trim().is_empty() {
            return self.failed("The plan was not saved".to_owned(), "Give it a name first".to_owned());
        }
        let id = id.unwrap_or(PlanId(fresh.id));
        vec![Job::SavePlan(Box::new(SavedPlan { id, plan: *plan }))]
    }

    pub(super) fn duplicate_plan(&mut self, id: PlanId, fresh: Fresh) -> Vec<Job> {
        let Some(saved) = self.plans.iter().find(|saved| saved.id == id) else { return Vec::new() };
        let mut plan = saved.plan.clone();
        plan.name = (2..)
            .map(|n| format!("{} ({n})", saved.plan.name))
            .find(|name| self.plans.iter().all(|other| other.plan.name != *name))
            .expect("there is always a next number");
        vec![Job::SavePlan(Box::new(SavedPlan { id: PlanId(fresh.id), plan }))]
    }

    pub(super) fn plan_saved(&mut self, saved: SavedPlan) -> Vec<Job> {
        self.plans.retain(|other| other.id != saved.id);
        self.inform(format!("Plan “{}” saved", saved.plan.name), None);
        self.plans.push(saved);
        self.plan_order();
        Vec::new()
    }

    pub(super) fn plan_deleted(&mut self, id: PlanId) -> Vec<Job> {
        self.plans.retain(|other| other.id != id);
        Vec::new()
    }

    pub(super) fn plans_read(&mut self, plans: Vec<SavedPlan>) -> Vec<Job> {
        self.plans = plans;
        self.plan_order();
        Vec::new()
    }

    pub(super) fn plan_order(&mut self) {
        self.plans.sort_by_key(|saved| (saved.plan.name.to_lowercase(), saved.id));
    }
}
