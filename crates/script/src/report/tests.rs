use super::{Outcome, junit};

#[test]
fn a_report_is_well_formed_whatever_scripts_say() {
    let outcomes = [Outcome::unusable("a<b>.pkt", 3, "\"x\" & <y>")];
    let xml = junit(&outcomes);
    assert!(xml.contains("name=\"a&lt;b&gt;.pkt\"") && xml.contains("&quot;x&quot; &amp; &lt;y&gt;"));
    assert!(xml.contains("tests=\"1\" failures=\"1\" skipped=\"0\""));
}

#[test]
fn a_failure_names_its_line() {
    let text = Outcome::unusable("a.pkt", 3, "broken").to_string();
    assert_eq!(text, "FAIL a.pkt:3: broken");
}
