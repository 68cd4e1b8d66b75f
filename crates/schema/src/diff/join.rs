//! Two maps side by side, in one pass: their order puts equal names at the same place whatever the rule.

use std::cmp::Ordering;

use crate::{NameRule, Objects};

/// What stands under a name: on one side, or on both.
pub(crate) enum Side<'a, T> {
    Left(&'a T),
    Right(&'a T),
    Both(&'a T, &'a T),
}

/// Every name of the two maps once.
pub(crate) fn join<'a, T>(
    left: &'a Objects<T>,
    right: &'a Objects<T>,
    rule: NameRule,
) -> impl Iterator<Item = Side<'a, T>> {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, _)), Some((b, _))) if rule.same_object(a, b) => Ordering::Equal,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        Some(match order {
            Ordering::Less => Side::Left(left.next()?.1),
            Ordering::Greater => Side::Right(right.next()?.1),
            Ordering::Equal => Side::Both(left.next()?.1, right.next()?.1),
        })
    })
}
