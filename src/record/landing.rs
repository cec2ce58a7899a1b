//! Where acknowledgements land: one message for each thread and commit.
//!
//! Waking a task of another thread costs a system call. A commit acknowledges
//! many exchanges at once, so the writer sends each waiting thread one list,
//! and a task there tells its neighbours, which costs nothing.

use std::cell::RefCell;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

/// Lists that may wait; a thread that is so far behind is told one by one.
const LISTS: usize = 64;

/// What became of the events of one exchange.
pub(crate) type Answer = Result<(), Arc<str>>;

/// Somebody who waits, and what to say.
type Told = (oneshot::Sender<Answer>, Answer);

thread_local! {
    static HERE: RefCell<Option<Landing>> = const { RefCell::new(None) };
}

/// The way to the tasks of one thread's runtime.
#[derive(Clone)]
pub(crate) struct Landing(mpsc::Sender<Vec<Told>>);

impl Landing {
    /// That of the current thread; the first call in a runtime starts its task.
    pub(crate) fn here() -> Landing {
        HERE.with_borrow_mut(|here| match here {
            // A runtime that ended has dropped its task, and with it the other end.
            Some(landing) if !landing.0.is_closed() => landing.clone(),
            _ => here.insert(Landing::start()).clone(),
        })
    }

    fn start() -> Landing {
        let (sender, mut lists) = mpsc::channel::<Vec<Told>>(LISTS);
        tokio::spawn(async move {
            while let Some(list) = lists.recv().await {
                for (done, answer) in list {
                    // Nobody listens any more when the deadline passed; the event is kept all the same.
                    let _ = done.send(answer);
                }
            }
        });
        Landing(sender)
    }

    fn tell(&self, list: Vec<Told>) {
        if let Err(mpsc::error::TrySendError::Full(list) | mpsc::error::TrySendError::Closed(list)) =
            self.0.try_send(list)
        {
            for (done, answer) in list {
                let _ = done.send(answer);
            }
        }
    }
}

/// Somebody who waits, and where.
pub(crate) struct Waiter {
    pub(crate) landing: Landing,
    pub(crate) done: oneshot::Sender<Answer>,
}

/// Says the same to all.
pub(crate) fn tell_all(waiters: impl Iterator<Item = Waiter>, answer: &Answer) {
    let mut lists: Vec<(Landing, Vec<Told>)> = Vec::new();
    for Waiter { landing, done } in waiters {
        let told = (done, answer.clone());
        match lists.iter_mut().find(|(known, _)| known.0.same_channel(&landing.0)) {
            Some((_, list)) => list.push(told),
            None => lists.push((landing, vec![told])),
        }
    }
    for (landing, list) in lists {
        landing.tell(list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter() -> (Waiter, oneshot::Receiver<Answer>) {
        let (done, told) = oneshot::channel();
        (Waiter { landing: Landing::here(), done }, told)
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn everybody_who_waits_is_told_once() {
        runtime().block_on(async {
            let (waiters, told): (Vec<_>, Vec<_>) = (0..200).map(|_| waiter()).unzip();
            std::thread::spawn(|| tell_all(waiters.into_iter(), &Ok(()))).join().unwrap();
            for told in told {
                assert_eq!(told.await.unwrap(), Ok(()));
            }
        });
    }

    #[test]
    fn a_thread_whose_runtime_ended_gets_a_new_landing() {
        let (old, _) = runtime().block_on(async { waiter() });
        runtime().block_on(async {
            let (new, told) = waiter();
            assert!(!new.landing.0.same_channel(&old.landing.0));
            tell_all([old, new].into_iter(), &Err("no room".into()));
            assert_eq!(told.await.unwrap(), Err("no room".into()));
        });
    }
}
