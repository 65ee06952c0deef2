//! Those who wait for a place.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::{Class, Place};

/// One line for each class, the oldest at the front.
#[derive(Debug, Default)]
pub(super) struct Lines {
    of: [VecDeque<oneshot::Sender<Place>>; Class::ALL.len()],
}

impl Lines {
    /// Those who wait, and perhaps some who left.
    pub(super) fn len(&mut self, class: Class) -> usize {
        self.without_who_left(class).len()
    }

    /// Joins a line. Where the newest go first, the oldest is pushed out of a line that is longer than `longest`.
    pub(super) fn join(&mut self, class: Class, longest: usize) -> oneshot::Receiver<Place> {
        let line = self.without_who_left(class);
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

    /// The oldest leave first: all wait for the same time.
    fn without_who_left(&mut self, class: Class) -> &mut VecDeque<oneshot::Sender<Place>> {
        let line = self.line(class);
        while line.front().is_some_and(oneshot::Sender::is_closed) {
            line.pop_front();
        }
        line
    }

    fn line(&mut self, class: Class) -> &mut VecDeque<oneshot::Sender<Place>> {
        &mut self.of[class as usize]
    }
}
