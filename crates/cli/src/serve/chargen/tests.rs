use super::*;

#[test]
fn each_line_is_one_character_further() {
    let text = String::from_utf8(period()).unwrap();
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 95);
    assert!(lines.iter().all(|line| line.len() == 72));
    assert!(lines[0].starts_with(" !\"#"));
    assert!(lines[1].starts_with("!\"#$"));
    assert!(lines[94].starts_with("~ !\""));
}
