//! Many equations at once: one random combination, and bisection when it does not hold.

use std::collections::hash_map::{Entry, HashMap};

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};

use super::equation::Equation;
use super::key::VerifyingKey;

/// Equations combined in one sum: a batch of 256 codes fits with both signatures. Larger sums gain next to nothing.
const EQUATIONS_PER_SUM: usize = 1_024;

/// Up to here single checks are cheaper than another sum.
const SINGLY_MAX: usize = 2;

/// How often each equation may be summed again in search of bad ones; what is left then is checked singly.
///
/// One bad equation costs one further sum over all. Without a bound, a batch that is bad throughout would cost a sum
/// at each level of the bisection, and more than single checks.
const RESUMS_MAX: usize = 2;

/// Random bytes of a coefficient: a false equation passes with probability 2^-128.
pub(crate) const COEFFICIENT_BYTES: usize = 16;

/// An equation times its random coefficient.
struct Weighted<'a> {
    equation: &'a Equation,
    coefficient: Scalar,
}

/// Which equations hold, in their order; for each the verdict of [`Equation::holds`], at a quarter of its cost.
///
/// `fill_random` must fill its buffer with unpredictable bytes: whoever can foresee them can craft two bad signatures
/// that cancel each other out.
#[must_use]
pub fn verify_equations(equations: &[Equation], fill_random: &mut dyn FnMut(&mut [u8])) -> Vec<bool> {
    let mut random = vec![[0; COEFFICIENT_BYTES]; equations.len()];
    fill_random(random.as_flattened_mut());
    verify_weighted(equations, &random)
}

/// [`verify_equations`] with the random bytes of each equation at hand.
#[must_use]
pub(crate) fn verify_weighted(equations: &[Equation], random: &[[u8; COEFFICIENT_BYTES]]) -> Vec<bool> {
    debug_assert_eq!(equations.len(), random.len());
    let weighted: Vec<Weighted<'_>> = equations.iter().zip(random).map(weigh).collect();
    let mut verdicts = vec![false; weighted.len()];
    for (sum, verdicts) in weighted
        .chunks(EQUATIONS_PER_SUM)
        .zip(verdicts.chunks_mut(EQUATIONS_PER_SUM))
    {
        let mut resums_left = sum.len().saturating_mul(RESUMS_MAX);
        if sum.len() <= SINGLY_MAX {
            mark_singly(sum, verdicts);
        } else {
            mark(sum, residue(sum), verdicts, &mut resums_left);
        }
    }
    verdicts
}

fn weigh<'a>((equation, random): (&'a Equation, &[u8; COEFFICIENT_BYTES])) -> Weighted<'a> {
    // A zero coefficient would let its equation pass unseen.
    let coefficient = Scalar::from(u128::from_le_bytes(*random).max(1));
    Weighted { equation, coefficient }
}

/// `[8] Σ z (R + [k]A - [S]B)`: the identity if every equation holds, and otherwise only with probability 2^-128.
///
/// The terms of one key are added up as scalars first: all codes of a batch share a few issuer keys.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "scalars wrap at L, and group arithmetic does not overflow"
)]
fn residue(weighted: &[Weighted<'_>]) -> EdwardsPoint {
    let mut scalars: Vec<Scalar> = Vec::with_capacity(2 * weighted.len() + 1);
    scalars.extend(weighted.iter().map(|item| item.coefficient));
    let mut keys: Vec<&VerifyingKey> = Vec::with_capacity(weighted.len());
    let mut place_of_key = HashMap::with_capacity(weighted.len());
    let mut base = Scalar::ZERO;
    for Weighted { equation, coefficient } in weighted {
        base -= coefficient * equation.s;
        let key_scalar = coefficient * equation.k;
        match place_of_key.entry(equation.key.bytes()) {
            Entry::Occupied(place) => scalars[*place.get()] += key_scalar,
            Entry::Vacant(place) => {
                place.insert(scalars.len());
                scalars.push(key_scalar);
                keys.push(&equation.key);
            }
        }
    }
    scalars.push(base);
    let nonces = weighted.iter().map(|item| &item.equation.r);
    let points = nonces.chain(keys.into_iter().map(VerifyingKey::point));
    let points = points.chain([&ED25519_BASEPOINT_POINT]);
    EdwardsPoint::vartime_multiscalar_mul(scalars, points).mul_by_cofactor()
}

/// Bisects down to the equations that do not hold, given the residue of all of them.
///
/// The coefficients stay, so the right half's residue is a subtraction, and the residue of a single equation is the
/// identity exactly if it holds: a non-zero multiple of a point of the prime-order group is never the identity.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "group arithmetic does not overflow; half of a length fits"
)]
fn mark(weighted: &[Weighted<'_>], sum: EdwardsPoint, verdicts: &mut [bool], resums_left: &mut usize) {
    if sum.is_identity() {
        verdicts.fill(true);
        return;
    }
    if let [_] = weighted {
        verdicts.fill(false);
        return;
    }
    let middle = weighted.len() / 2;
    let Some(left_over) = resums_left.checked_sub(middle).filter(|_| weighted.len() > SINGLY_MAX) else {
        mark_singly(weighted, verdicts);
        return;
    };
    *resums_left = left_over;
    let (left, right) = weighted.split_at(middle);
    let (left_verdicts, right_verdicts) = verdicts.split_at_mut(middle);
    let left_sum = residue(left);
    mark(left, left_sum, left_verdicts, resums_left);
    mark(right, sum - left_sum, right_verdicts, resums_left);
}

fn mark_singly(weighted: &[Weighted<'_>], verdicts: &mut [bool]) {
    for (item, verdict) in weighted.iter().zip(verdicts) {
        *verdict = item.equation.holds();
    }
}
