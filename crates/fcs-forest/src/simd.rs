//! The one place that asks what the processor can do, and the only `unsafe` code of the crate.
//!
//! A [`Job`] is ordinary safe code. It is compiled for any processor, for one with AVX2, BMI and POPCNT, and if it says
//! so for one with AVX-512, where the compiler turns its loops over arrays into wider instructions. All give the same
//! bits: Rust never reorders or fuses floating-point operations.

#![expect(
    unsafe_code,
    reason = "calling code that is compiled for more than the target's baseline is unsafe by definition"
)]

/// Work that is worth compiling for better processors. `run` should be `#[inline(always)]`, for only code that is
/// inlined here is compiled anew.
pub(crate) trait Job {
    /// What it returns.
    type Output;

    /// Whether it works on arrays that fill the registers of AVX-512.
    const WIDE: bool = false;

    /// Does the work.
    fn run(self) -> Self::Output;
}

/// Runs a job with the best instructions that this processor has.
#[inline]
pub(crate) fn run<J: Job>(job: J) -> J::Output {
    #[cfg(target_arch = "x86_64")]
    if J::WIDE && has_avx512() {
        // SAFETY: `run_avx512` needs nothing but the features that `has_avx512` has just found in this processor.
        return unsafe { run_avx512(job) };
    }
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
fn has_avx512() -> bool {
    #[cfg(test)]
    if REGISTER_BITS_MAX.get() < 512 {
        return false;
    }
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn has_avx2() -> bool {
    #[cfg(test)]
    if REGISTER_BITS_MAX.get() < 256 {
        return false;
    }
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,popcnt")]
fn run_avx512<J: Job>(job: J) -> J::Output {
    job.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn run_avx2<J: Job>(job: J) -> J::Output {
    job.run()
}

#[cfg(test)]
thread_local! {
    static REGISTER_BITS_MAX: std::cell::Cell<u32> = const { std::cell::Cell::new(u32::MAX) };
}

/// Does some work as on a processor whose registers are no wider.
#[cfg(test)]
pub(crate) fn with_registers<T>(bits_max: u32, work: impl FnOnce() -> T) -> T {
    let before = REGISTER_BITS_MAX.replace(bits_max);
    let done = work();
    REGISTER_BITS_MAX.set(before);
    done
}

#[cfg(test)]
mod tests;
