use std::collections::BTreeSet;
use std::string::ToString;

use super::DropReason;

#[test]
fn each_reason_has_its_own_counter_and_words() {
    let texts: BTreeSet<_> = DropReason::ALL.iter().map(|r| r.to_string()).collect();
    assert_eq!(texts.len(), DropReason::ALL.len());
    for (index, reason) in DropReason::ALL.iter().enumerate() {
        assert_eq!(*reason as usize, index);
    }
}
