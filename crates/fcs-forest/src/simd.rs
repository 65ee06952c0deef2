//! The one place that asks what the processor can do, and the only `unsafe` code of the crate.
//!
//! A [`Job`] is ordinary safe code. It is compiled twice, for any processor and for one with AVX2, BMI and POPCNT, where the
//! compiler turns its loops over arrays into wider instructions. Both give the same bits: Rust never reorders or
//! fuses floating-point operations.

#![expect(
    unsafe_code,
    reason = "calling code that is compiled for more than the target's baseline is unsafe by definition"
)]

/// Work that is worth compiling for better processors. `run` should be `#[inline(always)]`, for only code that is
/// inlined here is compiled anew.
pub(crate) trait Job {
    /// What it returns.
    type Output;

    /// Does the work.
    fn run(self) -> Self::Output;
}

/// Runs a job with the best instructions that this processor has.
#[inline]
pub(crate) fn run<J: Job>(job: J) -> J::Output {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        // SAFETY: `run_avx2` needs nothing but the features that `has_avx2` has just found in this processor.
        return unsafe { run_avx2(job) };
    }
    job.run()
}

/// The standard library asks the processor once and remembers the answer.
#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx2() -> bool {
    #[cfg(test)]
    if PORTABLE_ONLY.get() {
        return false;
    }
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn run_avx2<J: Job>(job: J) -> J::Output {
    job.run()
}

#[cfg(test)]
thread_local! {
    static PORTABLE_ONLY: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Does some work as on a processor that has no better instructions.
#[cfg(test)]
pub(crate) fn portable<T>(work: impl FnOnce() -> T) -> T {
    PORTABLE_ONLY.set(true);
    let done = work();
    PORTABLE_ONLY.set(false);
    done
}

#[cfg(test)]
mod tests;
