use super::Tally;

/// `ln (B(1 + S, 1 + F) / (p^S (1 - p)^F))`: the likelihood of `S` bad and `F` good requests averaged over a
/// uniform prior, over that of a share `p` strictly between 0 and 1.
pub(super) fn ln_beta_share(tally: Tally, p: f64) -> f64 {
    let (bad, good) = (tally.bad() as f64, tally.good() as f64);
    ln_beta(1.0 + bad, 1.0 + good) - x_ln(bad, libm::log(p)) - x_ln(good, libm::log1p(-p))
}

/// So that nothing times minus infinity is nothing.
fn x_ln(x: f64, ln: f64) -> f64 {
    if x > 0.0 { x * ln } else { 0.0 }
}

pub(super) fn ln_beta(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}
