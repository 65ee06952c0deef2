//! XGBoost through its C interface: predictions in place, contributions by way of a matrix, which they need.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;
use std::rc::Rc;

use anyhow::bail;
use libloading::Library;

use super::{function, open, take_contributions};
use crate::contest::Contestant;
use crate::shape::{Rows, Shape};

type Handle = *mut c_void;

const MARGINS: &CStr = cr#"{"type": 1, "training": false, "iteration_begin": 0, "iteration_end": 0, "strict_shape": false, "missing": NaN}"#;
const CONTRIBUTIONS: &CStr = cr#"{"type": 2, "training": false, "iteration_begin": 0, "iteration_end": 0, "strict_shape": false}"#;
const MATRIX: &CStr = cr#"{"missing": NaN, "nthread": 1}"#;

/// The functions of the library.
pub(crate) struct XgBoost {
    last_error: unsafe extern "C" fn() -> *const c_char,
    create: unsafe extern "C" fn(*const Handle, u64, *mut Handle) -> c_int,
    load: unsafe extern "C" fn(Handle, *const c_void, u64) -> c_int,
    set: unsafe extern "C" fn(Handle, *const c_char, *const c_char) -> c_int,
    free: unsafe extern "C" fn(Handle) -> c_int,
    predict_in_place: PredictInPlace,
    create_matrix: unsafe extern "C" fn(*const c_char, *const c_char, *mut Handle) -> c_int,
    free_matrix: unsafe extern "C" fn(Handle) -> c_int,
    predict_matrix: PredictMatrix,
    // Last, so that the functions never outlive it.
    _library: Library,
}

type PredictInPlace = unsafe extern "C" fn(
    Handle,
    *const c_char,
    *const c_char,
    Handle,
    *mut *const u64,
    *mut u64,
    *mut *const f32,
) -> c_int;

type PredictMatrix = unsafe extern "C" fn(
    Handle,
    Handle,
    *const c_char,
    *mut *const u64,
    *mut u64,
    *mut *const f32,
) -> c_int;

impl XgBoost {
    /// Opens the library of the Python package.
    pub(crate) fn open(packages: &Path) -> anyhow::Result<Rc<Self>> {
        let library = open(&packages.join("xgboost/lib/libxgboost.so"))?;
        // SAFETY: the types are those of XGBoost's c_api.h.
        unsafe {
            Ok(Rc::new(Self {
                last_error: function(&library, "XGBGetLastError")?,
                create: function(&library, "XGBoosterCreate")?,
                load: function(&library, "XGBoosterLoadModelFromBuffer")?,
                set: function(&library, "XGBoosterSetParam")?,
                free: function(&library, "XGBoosterFree")?,
                predict_in_place: function(&library, "XGBoosterPredictFromDense")?,
                create_matrix: function(&library, "XGDMatrixCreateFromDense")?,
                free_matrix: function(&library, "XGDMatrixFree")?,
                predict_matrix: function(&library, "XGBoosterPredictFromDMatrix")?,
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
        bail!("call XGBoost: {}", message.to_string_lossy())
    }
}

/// A loaded model.
pub(crate) struct Booster {
    library: Rc<XgBoost>,
    handle: Handle,
    rows: Rc<Rows>,
}

impl Booster {
    fn load(library: &Rc<XgBoost>, shape: &Shape) -> anyhow::Result<Self> {
        let bytes = shape.model_bytes()?;
        let mut booster = Self {
            library: Rc::clone(library),
            handle: ptr::null_mut(),
            rows: Rc::clone(&shape.rows),
        };
        // SAFETY: no matrices are given, and the handle is a place to write to.
        let status = unsafe { (library.create)(ptr::null(), 0, &raw mut booster.handle) };
        library.check(status)?;
        // SAFETY: the handle was just made, and the pointer and length are those of the bytes.
        let status =
            unsafe { (library.load)(booster.handle, bytes.as_ptr().cast(), bytes.len() as u64) };
        library.check(status)?;
        // SAFETY: the handle was just made, and both strings end with zero.
        let status = unsafe { (library.set)(booster.handle, c"nthread".as_ptr(), c"1".as_ptr()) };
        library.check(status)?;
        Ok(booster)
    }

    /// How XGBoost is told of rows in memory.
    fn describe(&self, first: usize, count: usize) -> anyhow::Result<CString> {
        let rows = self.rows.singles(first, count);
        Ok(CString::new(format!(
            r#"{{"data":[{},true],"shape":[{count},{}],"typestr":"<f4","version":3}}"#,
            rows.as_ptr() as usize,
            self.rows.width
        ))?)
    }
}

impl Drop for Booster {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: it was made by the library and is not used again.
            unsafe { (self.library.free)(self.handle) };
        }
    }
}

/// Margins.
pub(crate) struct Margins(Booster);

impl Margins {
    /// Reads the model.
    pub(crate) fn load(library: &Rc<XgBoost>, shape: &Shape) -> anyhow::Result<Self> {
        Booster::load(library, shape).map(Self)
    }
}

impl Contestant for Margins {
    fn answer(&mut self, first: usize, answers: &mut [f64]) -> anyhow::Result<()> {
        let rows = self.0.describe(first, answers.len())?;
        let (mut shape, mut dimensions, mut found) = (ptr::null(), 0, ptr::null());
        // SAFETY: the description names rows that live on; strings end with zero; the rest are places to write to.
        let status = unsafe {
            (self.0.library.predict_in_place)(
                self.0.handle,
                rows.as_ptr(),
                MARGINS.as_ptr(),
                ptr::null_mut(),
                &raw mut shape,
                &raw mut dimensions,
                &raw mut found,
            )
        };
        self.0.library.check(status)?;
        // SAFETY: the library gives one margin per row, which live until its next call.
        let found = unsafe { std::slice::from_raw_parts(found, answers.len()) };
        for (answer, margin) in answers.iter_mut().zip(found) {
            *answer = f64::from(*margin);
        }
        Ok(())
    }
}

/// Path-dependent contributions.
pub(crate) struct PathContributions(Booster);

impl PathContributions {
    /// Reads the model.
    pub(crate) fn load(library: &Rc<XgBoost>, shape: &Shape) -> anyhow::Result<Self> {
        Booster::load(library, shape).map(Self)
    }
}

impl Contestant for PathContributions {
    fn answer(&mut self, first: usize, answers: &mut [f64]) -> anyhow::Result<()> {
        let library = &self.0.library;
        let width = self.0.rows.width;
        let count = answers.len() / width;
        let rows = self.0.describe(first, count)?;
        let mut matrix = ptr::null_mut();
        // SAFETY: the description names rows that live on; strings end with zero.
        let status =
            unsafe { (library.create_matrix)(rows.as_ptr(), MATRIX.as_ptr(), &raw mut matrix) };
        library.check(status)?;
        let (mut shape, mut dimensions, mut found) = (ptr::null(), 0, ptr::null());
        // SAFETY: both handles are the library's; the string ends with zero; the rest are places to write to.
        let status = unsafe {
            (library.predict_matrix)(
                self.0.handle,
                matrix,
                CONTRIBUTIONS.as_ptr(),
                &raw mut shape,
                &raw mut dimensions,
                &raw mut found,
            )
        };
        let outcome = library.check(status);
        if outcome.is_ok() {
            // SAFETY: the library gives a number per feature and the base per row, which live until its next call.
            let found = unsafe { std::slice::from_raw_parts(found, count * (width + 1)) };
            take_contributions(found, width, answers);
        }
        // SAFETY: the matrix was made above and is not used again.
        library.check(unsafe { (library.free_matrix)(matrix) })?;
        outcome
    }
}
