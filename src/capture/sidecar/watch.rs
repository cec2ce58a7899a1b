//! A coarse clock and deadlines: one timer for a thread, none for a request.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// How coarse: deadlines are met up to this much late.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// No deadline.
pub(super) const NEVER: u64 = u64::MAX;

/// A thread's coarse clock, in milliseconds since it began, and who waits on it.
pub(super) struct Ticker {
    began: Instant,
    now: Cell<u64>,
    watches: RefCell<Vec<Rc<Watch>>>,
}

/// One connection's deadline.
pub(super) struct Watch {
    deadline: Cell<u64>,
    waker: RefCell<Option<Waker>>,
}

impl Ticker {
    pub(super) fn new() -> Ticker {
        Ticker { began: Instant::now(), now: Cell::new(0), watches: RefCell::default() }
    }

    pub(super) fn now(&self) -> u64 {
        self.now.get()
    }

    pub(super) fn watch(&self) -> Rc<Watch> {
        let watch = Rc::new(Watch { deadline: Cell::new(NEVER), waker: RefCell::default() });
        self.watches.borrow_mut().push(Rc::clone(&watch));
        watch
    }

    /// Reads the clock, wakes whose deadline has passed, forgets who is gone.
    pub(super) fn tick(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(NEVER - 1);
        self.now.set(now);
        self.watches.borrow_mut().retain(|watch| {
            if watch.deadline.get() <= now {
                watch.wake();
            }
            Rc::strong_count(watch) > 1
        });
    }

    pub(super) fn wake_all(&self) {
        self.watches.borrow().iter().for_each(|watch| watch.wake());
    }
}

impl Watch {
    /// The task is woken again at `deadline` (of the coarse clock) at the latest.
    pub(super) fn arm(&self, deadline: u64, cx: &Context<'_>) {
        self.deadline.set(deadline);
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }

    fn wake(&self) {
        self.deadline.set(NEVER);
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }
}
