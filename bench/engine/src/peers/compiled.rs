//! Models that a peer compiled to machine code: lleaves (by LLVM) and tl2cgen (by way of C).

use std::ffi::c_int;
use std::rc::Rc;

use libloading::Library;

use super::{function, open};
use crate::contest::Contestant;
use crate::shape::{Rows, Shape};

/// The margins of `lleaves.so`.
pub(crate) struct Lleaves {
    predict: unsafe extern "C" fn(*const f64, *mut f64, c_int, c_int),
    rows: Rc<Rows>,
    // Last, so that the function never outlives it.
    _library: Library,
}

impl Lleaves {
    /// Opens the compiled model.
    pub(crate) fn load(shape: &Shape) -> anyhow::Result<Self> {
        let library = open(&shape.folder.join("lleaves.so"))?;
        Ok(Self {
            // SAFETY: the type is the one by which lleaves itself calls the function, for 64-bit numbers.
            predict: unsafe { function(&library, "forest_root") }?,
            rows: Rc::clone(&shape.rows),
            _library: library,
        })
    }
}

impl Contestant for Lleaves {
    fn answer(&mut self, first: usize, answers: &mut [f64]) -> anyhow::Result<()> {
        let count = c_int::try_from(answers.len())?;
        let rows = self.rows.doubles(first, answers.len()).as_ptr();
        // SAFETY: it reads rows 0 to `count`, which are there, and writes as many margins.
        unsafe { (self.predict)(rows, answers.as_mut_ptr(), 0, count) };
        Ok(())
    }
}

/// A number as tl2cgen's code takes it: a missing one has -1 where a number has its lower half.
#[derive(Clone, Copy)]
#[repr(C)]
union Entry {
    missing: c_int,
    value: f64,
}

/// The margins of `tl2cgen.so`, which takes one row a call.
pub(crate) struct Tl2cgen {
    predict: unsafe extern "C" fn(*mut Entry, c_int, *mut f64),
    entries: Vec<Entry>,
    width: usize,
    // Last, so that the function never outlives it.
    _library: Library,
}

impl Tl2cgen {
    /// Opens the compiled model and writes the rows in its form, which is not timed.
    pub(crate) fn load(shape: &Shape) -> anyhow::Result<Self> {
        let library = open(&shape.folder.join("tl2cgen.so"))?;
        let entry = |number: &f64| {
            if number.is_nan() {
                Entry { missing: -1 }
            } else {
                Entry { value: *number }
            }
        };
        Ok(Self {
            // SAFETY: the type is that of the header that tl2cgen writes beside its code.
            predict: unsafe { function(&library, "predict") }?,
            entries: shape.rows.doubles.iter().map(entry).collect(),
            width: shape.rows.width,
            _library: library,
        })
    }
}

impl Contestant for Tl2cgen {
    fn answer(&mut self, first: usize, answers: &mut [f64]) -> anyhow::Result<()> {
        let rows = self.entries[first * self.width..].chunks_exact_mut(self.width);
        for (answer, row) in answers.iter_mut().zip(rows) {
            // The code adds to what is there.
            *answer = 0.0;
            // SAFETY: it reads (and may change) one row, which is there, and writes one margin.
            unsafe { (self.predict)(row.as_mut_ptr(), 1, answer) };
        }
        Ok(())
    }
}
