//! LightGBM through its C interface, with the fastest function there is for each kind of call.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;
use std::rc::Rc;

use anyhow::{Context, bail};
use libloading::Library;

use super::{function, open, take_contributions};
use crate::contest::Contestant;
use crate::shape::{Rows, Shape};

type Handle = *mut c_void;

const DOUBLES: c_int = 1;
const ROW_MAJOR: c_int = 1;
const PARAMETERS: &CStr = c"num_threads=1 verbosity=-1";

/// What a prediction means, by the numbers of the C interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Output {
    /// One margin per row.
    Margin = 1,
    /// A contribution per feature, then the base.
    Contributions = 3,
}

/// The functions of the library.
pub(crate) struct LightGbm {
    last_error: unsafe extern "C" fn() -> *const c_char,
    load: unsafe extern "C" fn(*const c_char, *mut c_int, *mut Handle) -> c_int,
    free: unsafe extern "C" fn(Handle) -> c_int,
    predict: PredictMatrix,
    prepare_single: PrepareSingle,
    predict_single: unsafe extern "C" fn(Handle, *const c_void, *mut i64, *mut f64) -> c_int,
    free_single: unsafe extern "C" fn(Handle) -> c_int,
    // Last, so that the functions never outlive it.
    _library: Library,
}

type PredictMatrix = unsafe extern "C" fn(
    Handle,
    *const c_void,
    c_int,
    i32,
    i32,
    c_int,
    c_int,
    c_int,
    c_int,
    *const c_char,
    *mut i64,
    *mut f64,
) -> c_int;

type PrepareSingle = unsafe extern "C" fn(
    Handle,
    c_int,
    c_int,
    c_int,
    c_int,
    i32,
    *const c_char,
    *mut Handle,
) -> c_int;

impl LightGbm {
    /// Opens the library of the Python package.
    pub(crate) fn open(packages: &Path) -> anyhow::Result<Rc<Self>> {
        let library = open(&packages.join("lightgbm/lib/lib_lightgbm.so"))?;
        // SAFETY: the types are those of LightGBM's c_api.h.
        unsafe {
            Ok(Rc::new(Self {
                last_error: function(&library, "LGBM_GetLastError")?,
                load: function(&library, "LGBM_BoosterLoadModelFromString")?,
                free: function(&library, "LGBM_BoosterFree")?,
                predict: function(&library, "LGBM_BoosterPredictForMat")?,
                prepare_single: function(&library, "LGBM_BoosterPredictForMatSingleRowFastInit")?,
                predict_single: function(&library, "LGBM_BoosterPredictForMatSingleRowFast")?,
                free_single: function(&library, "LGBM_FastConfigFree")?,
                _library: library,
            }))
        }
    }

    fn check(&self, status: c_int) -> anyhow::Result<()> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: the library returns a string that ends with zero and lives until the next error.
        let message = unsafe { CStr::from_ptr((self.last_error)()) };
        bail!("call LightGBM: {}", message.to_string_lossy())
    }
}

/// A loaded model.
pub(crate) struct Booster {
    library: Rc<LightGbm>,
    booster: Handle,
    single: Handle,
    output: Output,
    rows: Rc<Rows>,
    buffer: Vec<f64>,
}

impl Booster {
    /// Reads the model and prepares calls with one row.
    pub(crate) fn load(
        library: &Rc<LightGbm>,
        shape: &Shape,
        output: Output,
    ) -> anyhow::Result<Self> {
        let text = CString::new(shape.model_bytes()?).context("read the model as a C string")?;
        let mut loaded = Self {
            library: Rc::clone(library),
            booster: ptr::null_mut(),
            single: ptr::null_mut(),
            output,
            rows: Rc::clone(&shape.rows),
            buffer: Vec::new(),
        };
        let mut iterations = 0;
        // SAFETY: the text ends with zero and the other arguments are places to write to.
        let status =
            unsafe { (library.load)(text.as_ptr(), &raw mut iterations, &raw mut loaded.booster) };
        library.check(status)?;
        let width = i32::try_from(loaded.rows.width)?;
        // SAFETY: the booster was just made, and the parameters end with zero.
        let status = unsafe {
            (library.prepare_single)(
                loaded.booster,
                output as c_int,
                0,
                -1,
                DOUBLES,
                width,
                PARAMETERS.as_ptr(),
                &raw mut loaded.single,
            )
        };
        library.check(status)?;
        Ok(loaded)
    }

    fn predict(&mut self, first: usize, count: usize, into: *mut f64) -> anyhow::Result<()> {
        let rows = self.rows.doubles(first, count).as_ptr().cast();
        let mut written = 0;
        let status = if count == 1 {
            // SAFETY: the row has the width that the calls were prepared for; `into` has room for one row's output.
            unsafe { (self.library.predict_single)(self.single, rows, &raw mut written, into) }
        } else {
            let (count, width) = (i32::try_from(count)?, i32::try_from(self.rows.width)?);
            // SAFETY: there are `count` rows of `width` numbers; `into` has room for the output of `count` rows.
            unsafe {
                (self.library.predict)(
                    self.booster,
                    rows,
                    DOUBLES,
                    count,
                    width,
                    ROW_MAJOR,
                    self.output as c_int,
                    0,
                    -1,
                    PARAMETERS.as_ptr(),
                    &raw mut written,
                    into,
                )
            }
        };
        self.library.check(status)
    }
}

impl Contestant for Booster {
    fn answer(&mut self, first: usize, answers: &mut [f64]) -> anyhow::Result<()> {
        if self.output == Output::Margin {
            return self.predict(first, answers.len(), answers.as_mut_ptr());
        }
        let width = self.rows.width;
        let count = answers.len() / width;
        self.buffer.resize(count * (width + 1), 0.0);
        let into = self.buffer.as_mut_ptr();
        self.predict(first, count, into)?;
        take_contributions(&self.buffer, width, answers);
        Ok(())
    }
}

impl Drop for Booster {
    fn drop(&mut self) {
        if !self.single.is_null() {
            // SAFETY: it was made by the library and is not used again.
            unsafe { (self.library.free_single)(self.single) };
        }
        if !self.booster.is_null() {
            // SAFETY: it was made by the library and is not used again.
            unsafe { (self.library.free)(self.booster) };
        }
    }
}
