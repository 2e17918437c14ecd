//! Many equations at once: one random combination, and bisection when it does not hold.

use std::collections::hash_map::{Entry, HashMap};

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};

use super::equation::Equation;

/// Equations combined in one sum. Larger sums are a little faster each; a bad item costs its own sum about twice.
const EQUATIONS_PER_SUM: usize = 256;

/// Random bytes of a coefficient: a false equation passes with probability 2^-128.
const COEFFICIENT_BYTES: usize = 16;

/// An equation times its random coefficient.
struct Weighted<'a> {
    equation: &'a Equation,
    coefficient: Scalar,
}

/// Which equations hold, in their order; for each the verdict of [`Equation::holds`], at a third of its cost.
///
/// `fill_random` must fill its buffer with unpredictable bytes: whoever can foresee them can craft two bad signatures
/// that cancel each other out.
#[must_use]
pub fn verify_equations(equations: &[Equation], fill_random: &mut dyn FnMut(&mut [u8])) -> Vec<bool> {
    let mut verdicts = vec![false; equations.len()];
    for (chunk, verdicts) in equations
        .chunks(EQUATIONS_PER_SUM)
        .zip(verdicts.chunks_mut(EQUATIONS_PER_SUM))
    {
        // Where there is nothing to share, the single check is the cheaper one.
        if let [equation] = chunk {
            verdicts.fill(equation.holds());
            continue;
        }
        let weighted = weigh(chunk, fill_random);
        mark(&weighted, residue(&weighted), verdicts);
    }
    verdicts
}

fn weigh<'a>(equations: &'a [Equation], fill_random: &mut dyn FnMut(&mut [u8])) -> Vec<Weighted<'a>> {
    let mut random = vec![[0; COEFFICIENT_BYTES]; equations.len()];
    fill_random(random.as_flattened_mut());
    let weigh_one = |(equation, random): (&'a Equation, [u8; COEFFICIENT_BYTES])| {
        // A zero coefficient would let its equation pass unseen.
        let coefficient = Scalar::from(u128::from_le_bytes(random).max(1));
        Weighted { equation, coefficient }
    };
    equations.iter().zip(random).map(weigh_one).collect()
}

/// `[8] Σ z (R + [k]A - [S]B)`: the identity if every equation holds, and otherwise only with probability 2^-128.
///
/// The terms of one key are added up as scalars first: all codes of a batch share a few issuer keys.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "scalars wrap at L, and group arithmetic does not overflow"
)]
fn residue(weighted: &[Weighted<'_>]) -> EdwardsPoint {
    let mut scalars = Vec::with_capacity(2 * weighted.len() + 1);
    let mut points = Vec::with_capacity(2 * weighted.len() + 1);
    let mut base = Scalar::ZERO;
    let mut place_of_key = HashMap::with_capacity(weighted.len());
    for Weighted { equation, coefficient } in weighted {
        base -= coefficient * equation.s;
        scalars.push(*coefficient);
        points.push(equation.r);
        let key_scalar = coefficient * equation.k;
        match place_of_key.entry(equation.key.bytes()) {
            Entry::Occupied(place) => scalars[*place.get()] += key_scalar,
            Entry::Vacant(place) => {
                place.insert(scalars.len());
                scalars.push(key_scalar);
                points.push(*equation.key.point());
            }
        }
    }
    scalars.push(base);
    points.push(ED25519_BASEPOINT_POINT);
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
fn mark(weighted: &[Weighted<'_>], sum: EdwardsPoint, verdicts: &mut [bool]) {
    if sum.is_identity() {
        verdicts.fill(true);
        return;
    }
    if weighted.len() <= 1 {
        verdicts.fill(false);
        return;
    }
    let middle = weighted.len() / 2;
    let (left, right) = weighted.split_at(middle);
    let (left_verdicts, right_verdicts) = verdicts.split_at_mut(middle);
    let left_sum = residue(left);
    mark(left, left_sum, left_verdicts);
    mark(right, sum - left_sum, right_verdicts);
}
