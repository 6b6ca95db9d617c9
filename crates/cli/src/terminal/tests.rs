use super::*;

fn locale(vars: &[(&str, &str)]) -> Locale {
    let vars: Vec<(String, String)> = vars.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    Locale::new(|name| vars.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()))
}

#[test]
fn the_locale_decides_language_and_characters() {
    assert_eq!(locale(&[]), Locale { lang: Lang::En, utf8: false });
    assert_eq!(locale(&[("LANG", "zh_CN.UTF-8")]), Locale { lang: Lang::Zh, utf8: true });
    assert_eq!(locale(&[("LANG", "zh_CN.GB18030")]), Locale { lang: Lang::Zh, utf8: false });
    assert_eq!(locale(&[("LANG", "C.utf8")]), Locale { lang: Lang::En, utf8: true });
}

#[test]
fn lc_all_goes_before_the_category_and_that_before_lang() {
    let vars = [("LANG", "zh_CN.UTF-8"), ("LC_MESSAGES", "en_GB.UTF-8"), ("LC_CTYPE", "C")];
    assert_eq!(locale(&vars), Locale { lang: Lang::En, utf8: false });
    let vars = [("LC_ALL", "zh_TW.UTF-8"), ("LC_MESSAGES", "en_GB"), ("LANG", "C")];
    assert_eq!(locale(&vars), Locale { lang: Lang::Zh, utf8: true });
    assert_eq!(locale(&[("LC_ALL", ""), ("LANG", "zh_CN.UTF-8")]), Locale { lang: Lang::Zh, utf8: true });
}
