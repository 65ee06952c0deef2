//! Those who wait for a place.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::{Class, Place};

/// One line for each class, the oldest at the front.
#[derive(Debug)]
pub(super) struct Lines {
    longest: usize,
    of: [VecDeque<oneshot::Sender<Place>>; Class::ALL.len()],
}

impl Lines {
    pub(super) fn new(longest: usize) -> Self {
        Self {
            longest,
            of: Default::default(),
        }
    }

    /// Joins a line. Where the newest go first, the oldest is pushed out of a full line.
    pub(super) fn join(&mut self, class: Class) -> oneshot::Receiver<Place> {
        let longest = self.longest;
        let line = self.line(class);
        while line.front().is_some_and(oneshot::Sender::is_closed) {
            line.pop_front();
        }
        let (turn, place) = oneshot::channel();
        line.push_back(turn);
        if class != Class::Batch && line.len() > longest {
            line.pop_front();
        }
        place
    }

    /// Who goes next.
    pub(super) fn next(&mut self, class: Class) -> Option<oneshot::Sender<Place>> {
        let line = self.line(class);
        match class {
            Class::Decision | Class::Read => line.pop_back(),
            Class::Batch => line.pop_front(),
        }
    }

    fn line(&mut self, class: Class) -> &mut VecDeque<oneshot::Sender<Place>> {
        &mut self.of[class as usize]
    }
}
