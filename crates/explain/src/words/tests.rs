use std::collections::BTreeSet;

use super::*;
use crate::sentence::{Facts, Sentence};
use crate::{Role, width};

fn said(word: Word, lang: Lang, form: Form) -> String {
    let facts = Facts {
        who: Some((Role::Client, Role::Server)),
        n: 1448,
        bytes: 83_984,
        seq: 1,
        ack: 1449,
        window: 64_240,
        span: 1_040_000_000,
        text: b"hello".to_vec(),
    };
    Sentence { word, facts }.say(lang, form)
}

#[test]
fn keys_are_unique() {
    let keys: BTreeSet<&str> = Word::ALL.iter().map(|w| w.key()).collect();
    assert_eq!(keys.len(), Word::ALL.len());
}

#[test]
fn every_placeholder_has_a_value_in_every_language() {
    for word in Word::ALL {
        for lang in [Lang::En, Lang::Zh] {
            for form in [Form::Full, Form::Short] {
                let text = said(*word, lang, form);
                assert!(!text.contains(['{', '}']), "{} {text}", word.key());
                assert!(!text.is_empty(), "{}", word.key());
            }
        }
    }
}

#[test]
fn english_is_ascii_and_chinese_is_not() {
    for word in Word::ALL {
        for form in [Form::Full, Form::Short] {
            assert!(word.template(Lang::En, form).is_ascii(), "{}", word.key());
            assert!(!word.template(Lang::Zh, form).is_ascii(), "{}", word.key());
        }
    }
}

#[test]
fn short_forms_fit_beside_a_ladder_of_120_columns() {
    for word in Word::ALL {
        // A mark and a space may stand before the words.
        let key = word.key();
        let again = key.contains("again") || key.contains("lost") || key.contains("answer");
        let max = if again { 36 } else { 39 };
        for lang in [Lang::En, Lang::Zh] {
            let text = said(*word, lang, Form::Short);
            assert!(width::of(&text) <= max, "{} is {} wide: {text}", word.key(), width::of(&text));
        }
    }
}

#[test]
fn the_fixed_sentences_are_as_agreed() {
    let en = |word: Word| said(word, Lang::En, Form::Full);
    assert_eq!(en(Word::Ack3), "\"Heard you too.\" Now both are sure.");
    assert_eq!(en(Word::Fin), "\"I have nothing more to send.\" (I still listen.)");
    assert_eq!(en(Word::FinAck), "\"Got your FIN, and I am done too.\" (2 in 1: three-segment close)");
    assert_eq!(en(Word::LastAck), "\"Got your FIN.\" I wait 2 MSL in case you did not hear this.");
    assert_eq!(en(Word::RstNoSocket), "\"There is no such connection here.\"");
    assert_eq!(en(Word::Challenge), "\"That number looks wrong; here is what I expect.\" (RFC 5961)");
    assert_eq!(said(Word::Fin, Lang::Zh, Form::Full), "“我没有要发的了。”（还能收。）");
}

#[test]
fn filling_leaves_what_it_does_not_know() {
    assert_eq!(fill("a {x} {y} {", &[("x", "1")]), "a 1 {y} {");
}
