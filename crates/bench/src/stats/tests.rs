use super::*;

#[test]
fn the_median_of_an_even_number_of_rounds_lies_between_the_middle_two() {
    assert_eq!(Summary::of(&[4.0, 1.0, 2.0, 100.0]), Summary { median: 3.0, min: 1.0, max: 100.0 });
    assert_eq!(Summary::of(&[7.0]), Summary { median: 7.0, min: 7.0, max: 7.0 });
}

#[test]
fn a_row_without_a_peer_has_no_ratio() {
    let synfin = Summary::of(&[50.0]);
    let mut row = Row { name: "x".into(), unit: "ns", synfin, smoltcp: Some(Summary::of(&[100.0])) };
    assert_eq!(row.ratio(), Some(0.5));
    row.smoltcp = None;
    assert_eq!(row.ratio(), None);
    assert_eq!(
        table(&[row]),
        "| what | unit | synfin | smoltcp | synfin / smoltcp |\n\
         |------|------|--------|---------|------------------|\n\
         | x    | ns   | 50.0   | -       | -                |\n"
    );
}
