use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

#[test]
fn east_asian_characters_are_two_wide() {
    assert_eq!(of("静默"), 4);
    assert_eq!(of("（SYN）"), 7);
    assert_eq!(of("│▶·≈╳"), 5);
}

#[test]
fn lines_break_between_words_and_between_ideographs() {
    assert_eq!(wrap("one two three", 8), ["one two", "three"]);
    assert_eq!(wrap("一二三四", 6), ["一二三", "四"]);
}

#[test]
fn closing_marks_do_not_begin_a_line_and_opening_ones_do_not_end_it() {
    assert_eq!(wrap("一二三。", 6), ["一二", "三。"]);
    assert_eq!(wrap("一二（三四）", 6), ["一二", "（三", "四）"]);
}

#[test]
fn what_moves_the_cursor_is_replaced() {
    assert_eq!(clean("a\x1b[2J\u{202e}b\n"), "a?[2J?b?");
}

proptest! {
    #[test]
    fn wrapping_keeps_every_letter_and_the_width(text in "[a-z “”（）。，\u{4e00}-\u{4e20}]{0,80}", max in 2usize..40) {
        let lines = wrap(&text, max);
        for line in &lines {
            prop_assert!(of(line) <= max);
        }
        let letters = |s: &str| s.chars().filter(|c| *c != ' ').collect::<String>();
        let joined: Vec<String> = lines.iter().map(|line| letters(line)).collect();
        prop_assert_eq!(joined.concat(), letters(&text));
    }
}
