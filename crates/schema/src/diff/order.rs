//! An order in which everything comes after what it needs.

use std::collections::{BTreeMap, BTreeSet};

/// The items with what each needs first, ordered; and the needs (item, needed) that no order can meet because they
/// close a cycle. Needs that are no items do not count. Deterministic: by the items' own order where needs leave a
/// choice.
pub(super) fn in_order<K: Ord + Copy>(needs: &BTreeMap<K, BTreeSet<K>>) -> (Vec<K>, BTreeSet<(K, K)>) {
    #[derive(PartialEq)]
    enum State {
        Open,
        Done,
    }
    let mut state = BTreeMap::new();
    let mut order = Vec::with_capacity(needs.len());
    let mut cycles = BTreeSet::new();
    for &root in needs.keys() {
        if state.contains_key(&root) {
            continue;
        }
        // Depth first with a stack of its own: a chain of references may be as long as the schema.
        state.insert(root, State::Open);
        let mut stack = vec![(root, needs[&root].iter())];
        while let Some((item, rest)) = stack.last_mut() {
            let item = *item;
            match rest.next() {
                None => {
                    state.insert(item, State::Done);
                    order.push(item);
                    stack.pop();
                }
                Some(&needed) if needed == item => {}
                Some(&needed) => match state.get(&needed) {
                    Some(State::Done) => {}
                    Some(State::Open) => {
                        cycles.insert((item, needed));
                    }
                    None => {
                        if let Some(more) = needs.get(&needed) {
                            state.insert(needed, State::Open);
                            stack.push((needed, more.iter()));
                        }
                    }
                },
            }
        }
    }
    (order, cycles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needed_first_and_cycles_named() {
        let needs = BTreeMap::from([
            (1, BTreeSet::from([3, 9])),
            (2, BTreeSet::from([1, 2])),
            (3, BTreeSet::new()),
            (4, BTreeSet::from([5])),
            (5, BTreeSet::from([4])),
        ]);
        assert_eq!(in_order(&needs), (vec![3, 1, 2, 5, 4], BTreeSet::from([(5, 4)])));
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let needs: BTreeMap<u32, _> = (0..200_000).map(|n| (n, BTreeSet::from([n + 1]))).collect();
        assert_eq!(in_order(&needs).0.first(), Some(&199_999));
    }
}
