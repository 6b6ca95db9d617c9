use super::*;

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_last_value_counts_and_absent_ones_have_defaults() {
    let args = Args::read(words("--rounds 3 --rounds 5"), &["rounds", "n"]).unwrap();
    assert_eq!((args.get("rounds", 1), args.get("n", 7)), (Ok(5), Ok(7)));
}

#[test]
fn what_is_not_understood_is_an_error_that_names_it() {
    let unknown = Args::read(words("--round 3"), &["rounds"]).unwrap_err().to_string();
    assert!(unknown.contains("--round:") && unknown.contains("--rounds"), "{unknown}");
    assert!(Args::read(words("--rounds"), &["rounds"]).is_err());
    let args = Args::read(words("--rounds many"), &["rounds"]).unwrap();
    assert!(args.get("rounds", 1).unwrap_err().to_string().contains("many"));
}
