use super::{Tok, lex};

fn toks(text: &str) -> Vec<Tok> {
    lex(text, "t").unwrap().into_iter().map(|t| t.tok).collect()
}

#[test]
fn times_are_whole_microseconds() {
    assert_eq!(
        toks("0.25 .1 3 1.0000019"),
        [Tok::Fraction(250_000), Tok::Fraction(100_000), Tok::Int(3), Tok::Fraction(1_000_001)]
    );
}

#[test]
fn ellipsis_between_times() {
    assert_eq!(toks("0...0.3"), [Tok::Int(0), Tok::Ellipsis, Tok::Fraction(300_000)]);
    assert_eq!(toks("0.1...0.3"), [Tok::Fraction(100_000), Tok::Ellipsis, Tok::Fraction(300_000)]);
}

#[test]
fn comments_and_lines() {
    let tokens = lex("// one\n/* two\n three */ x // y\n# z\n\"a\\\"b\"", "t").unwrap();
    let seen: Vec<_> = tokens.iter().map(|t| (t.tok.clone(), t.line)).collect();
    assert_eq!(seen, [(Tok::Word("x".into()), 3), (Tok::Text("a\\\"b".into()), 5)]);
}

#[test]
fn digits_with_letters_are_words_or_hexadecimal() {
    assert_eq!(toks("0x1F 12ab"), [Tok::Hex(31), Tok::Word("12ab".into())]);
}

#[test]
fn what_is_opened_must_be_closed() {
    for text in ["/* x", "`ls", "%{ assert", "\"x"] {
        assert_eq!(lex(text, "t").unwrap_err().line, 1, "{text}");
    }
}

#[test]
fn a_number_too_large_is_an_error() {
    assert!(lex("99999999999999999999", "t").is_err());
}
