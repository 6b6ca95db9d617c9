use super::{Trouble, Value, Variables, run, statements};

fn check(code: &str) -> Result<(), Trouble> {
    let lookup = |name: &str| match name {
        "tcpi_snd_cwnd" => Some(10),
        "tcpi_rtt" => Some(10_500),
        "tcpi_options" => Some(7),
        _ => None,
    };
    run(code, &mut Variables::new(), &lookup)
}

#[test]
fn assertions_that_hold() {
    for code in [
        "assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd",
        " assert 5000 <= tcpi_rtt <= 20000, 'srtt=%d us' % tcpi_rtt ",
        "assert (tcpi_options & TCPI_OPT_SACK) != 0, tcpi_options",
        "assert tcpi_snd_cwnd == 10; \\\n assert tcpi_rtt > 1; ",
        "x = tcpi_rtt + 1\nassert x == 10501 # so it is",
        "assert abs(tcpi_rtt - 10000) < 1000 and not tcpi_snd_cwnd > 10",
        "assert 1 == 2 or True",
        "assert -7 // 2 == -4 and -7 % 3 == 2 and 2 ** 3 == 8 and 7 / 2 == 3.5",
        "assert 1 + 2 * 3 == 7 and (1 + 2) * 3 == 9 and 1 << 3 | 1 == 9",
        "assert max(1, 5, 3) - min(4, 2) == 3\nprint(tcpi_rtt)",
        "assert 0x10 == 16 and 1 != 2 < 3",
    ] {
        assert_eq!(check(code), Ok(()), "{code}");
    }
}

#[test]
fn one_that_does_not_tells_the_values() {
    let Err(Trouble::False { assertion, values }) = check("assert tcpi_snd_cwnd == 9, 'x'") else { panic!() };
    assert_eq!((assertion.as_str(), values.as_str()), ("tcpi_snd_cwnd == 9, 'x'", "tcpi_snd_cwnd = 10"));
}

#[test]
fn what_is_not_known_is_said() {
    for code in [
        "assert tcpi_unheard == 1",
        "import os",
        "for x in y: pass",
        "assert 1 +",
        "assert 1 / 0 == 1",
        "x += 1",
    ] {
        assert!(matches!(check(code), Err(Trouble::NotUnderstood(_))), "{code}");
    }
    let deep = format!("assert {}1{}", "(".repeat(1000), ")".repeat(1000));
    assert!(matches!(check(&deep), Err(Trouble::NotUnderstood(_))));
}

#[test]
fn variables_stay() {
    let mut variables = Variables::new();
    run("a = 5; b = a * 2", &mut variables, &|_| None).unwrap();
    assert_eq!(variables.get("b"), Some(&Value::Int(10)));
    run("assert b - a == 5", &mut variables, &|_| None).unwrap();
}

#[test]
fn statements_end_outside_brackets() {
    assert_eq!(statements("a = (1,\n 2); b = 'x;y'\n\n# c\nd"), ["a = (1,\n 2)", "b = 'x;y'", "d"]);
}
