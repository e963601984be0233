//! Who is next: the scheduler that shuttle asks at every lock, every atomic variable and every call of the disk.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

use crate::common::rng::Rng;
use crate::plan::Turns;

thread_local! {
    /// The seed of the case that runs on this thread, and how its threads take turns.
    static CASE: Cell<(u64, Turns)> = const { Cell::new((0, Turns::Any)) };
}

/// The seed of the case that runs on this thread.
pub(crate) fn seed() -> u64 {
    CASE.get().0
}

/// How threads take turns from here on.
pub(crate) fn take_turns(turns: Turns) {
    CASE.set((seed(), turns));
}

/// Runs one case for each seed that it is given.
pub(crate) struct Dice {
    next_seed: Arc<dyn Fn() -> Option<u64> + Send + Sync>,
    rng: Rng,
    /// Lower comes first; tasks get theirs when they are first seen.
    priorities: BTreeMap<usize, u64>,
    lowest: u64,
}

impl Dice {
    pub(crate) fn new(next_seed: Arc<dyn Fn() -> Option<u64> + Send + Sync>) -> Dice {
        Dice { next_seed, rng: Rng::new(0), priorities: BTreeMap::new(), lowest: 0 }
    }

    fn any(&mut self, tasks: &[&Task]) -> Option<TaskId> {
        tasks.get(self.rng.index(tasks.len())).map(|task| task.id())
    }

    fn demote(&mut self, task: TaskId) {
        self.lowest += 1;
        self.priorities.insert(task.into(), self.lowest);
    }

    fn priority(&mut self, task: TaskId) -> u64 {
        let drawn = self.rng.below(1 << 32);
        *self.priorities.entry(task.into()).or_insert(drawn)
    }
}

impl Scheduler for Dice {
    fn new_execution(&mut self) -> Option<Schedule> {
        let seed = (self.next_seed)()?;
        CASE.set((seed, Turns::Any));
        self.rng = Rng::new(seed ^ 0x005c_4ed0_1e5e_ed00);
        self.priorities.clear();
        self.lowest = 1 << 32;
        Some(Schedule::new(seed))
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, waits: bool) -> Option<TaskId> {
        if let [only] = runnable {
            return Some(only.id());
        }
        let goes_on = current.filter(|current| !waits && runnable.iter().any(|task| task.id() == *current));
        match CASE.get().1 {
            Turns::Any => self.any(runnable),
            Turns::Sticky(odds) => match goes_on {
                Some(current) if !self.rng.one_in(odds) => Some(current),
                _ => self.any(runnable),
            },
            Turns::Priorities(odds) => {
                if let Some(current) = current
                    && (waits || self.rng.one_in(odds))
                {
                    self.demote(current);
                }
                runnable.iter().map(|task| task.id()).min_by_key(|task| self.priority(*task))
            }
        }
    }

    fn next_u64(&mut self) -> u64 {
        self.rng.next()
    }
}
