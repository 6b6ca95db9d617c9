//! Socket options: values of a script as octets, and octets as values.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use nix::errno::Errno;
use synfin_script::ast::{Call, Expr};
use synfin_script::call::{Called, Wrong, arg, int, number};
use synfin_sockopt::SockOpt;

use super::{Answer, Judge, Out, Prepared, ready, system, with, work};

/// Names that stand for values of options.
const VALUES: [(&str, i64); 6] = [
    ("IP_PMTUDISC_DONT", 0),
    ("IP_PMTUDISC_WANT", 1),
    ("IP_PMTUDISC_DO", 2),
    ("IP_PMTUDISC_PROBE", 3),
    ("IP_PMTUDISC_INTERFACE", 4),
    ("IP_PMTUDISC_OMIT", 5),
];

fn option(call: &Call) -> Called<SockOpt> {
    let (level, name) = (arg(call, 1)?, arg(call, 2)?);
    let unknown = || format!("socket option {level}, {name} is not supported");
    match (level, name) {
        (Expr::Word(level), Expr::Word(name)) => SockOpt::named(level, name).ok_or_else(unknown),
        // A number that no option has: the kernel is asked all the same.
        (Expr::Word(level), Expr::Int(number)) => {
            let number = i32::try_from(*number).map_err(|_| unknown())?;
            SockOpt::unknown(level, number).ok_or_else(unknown)
        }
        _ => Err(unknown()),
    }
}

fn value_of(expr: &Expr) -> Called<i64> {
    match expr {
        Expr::Word(word) => match VALUES.iter().find(|(name, _)| name == word) {
            Some((_, value)) => Ok(*value),
            None => number(expr),
        },
        other => number(other),
    }
}

fn field(value: &Expr, name: &str) -> Called<i64> {
    value.field(name).map_or(Ok(0), number)
}

/// The octets of a value.
fn octets(value: &Expr) -> Called<Vec<u8>> {
    let int = |n: i64| {
        let narrow = i32::try_from(n).or_else(|_| u32::try_from(n).map(u32::cast_signed));
        narrow.map(|n| n.to_ne_bytes().to_vec()).map_err(|_| format!("value {n}"))
    };
    match value.single() {
        Expr::Text(text) => Ok(text.as_bytes().to_vec()),
        v if v.field("onoff").is_some() => Ok([int(field(v, "onoff")?)?, int(field(v, "linger")?)?].concat()),
        v if v.field("tv_sec").or(v.field("tv_usec")).is_some() => {
            Ok([field(v, "tv_sec")?.to_ne_bytes(), field(v, "tv_usec")?.to_ne_bytes()].concat())
        }
        Expr::Array(items) => {
            Ok(items.iter().map(|i| int(value_of(i)?)).collect::<Called<Vec<_>>>()?.concat())
        }
        v @ Expr::Struct(_) => Err(format!("value {v} of an option is not supported")),
        v => int(value_of(v)?),
    }
}

pub(super) fn set(call: &Call, fd: Arc<OwnedFd>) -> Called<Prepared> {
    let option = option(call)?;
    let mut value = octets(arg(call, 3)?)?;
    let len = int(call, 4)?;
    let Some(len) = usize::try_from(len).ok().filter(|n| *n <= 4096) else { return ready(-1, "EINVAL") };
    value.resize(len, 0);
    let act = move || match option.set(fd.as_fd(), &value) {
        Ok(()) => with(Ok(0), Out::Nothing),
        Err(error) => Answer { value: Err(system(error)), out: Out::Nothing },
    };
    work(act, Judge::Plain)
}

pub(super) fn get(call: &Call, fd: Arc<OwnedFd>) -> Called<Prepared> {
    let option = option(call)?;
    let (expected, len) = (arg(call, 3)?.single().clone(), arg(call, 4)?.single().clone());
    let room = match &len {
        Expr::Ellipsis => 256,
        other => usize::try_from(number(other)?).ok().filter(|n| *n <= 4096).ok_or("length of an option")?,
    };
    let act = move || {
        let mut value = vec![0; room];
        match option.get(fd.as_fd(), &mut value) {
            Ok(len) => {
                value.truncate(len);
                with(Ok(0), Out::Value(value))
            }
            Err(error) => Answer { value: Err(system(error)), out: Out::Nothing },
        }
    };
    work(act, Judge::Option { expected, len })
}

/// Where a look at `len` octets began that is just over: SO_PEEK_OFF moves on with every look, unless it is off.
pub(super) fn peeked_from(fd: &OwnedFd, len: usize) -> u32 {
    let mut value = [0; 4];
    let told = SockOpt::named("SOL_SOCKET", "SO_PEEK_OFF").map(|o| o.get(fd.as_fd(), &mut value));
    match (told, u32::try_from(i32::from_ne_bytes(value))) {
        (Some(Ok(_)), Ok(behind)) => behind.saturating_sub(u32::try_from(len).unwrap_or(0)),
        _ => 0,
    }
}

/// How a value differs from what the script expects.
pub(super) fn wrong(expected: &Expr, len: &Expr, told: &[u8]) -> Called<Vec<Wrong>> {
    let narrow =
        |place: usize| told.get(place..place + 4).and_then(|o| o.try_into().ok()).map(i32::from_ne_bytes);
    let wide =
        |place: usize| told.get(place..place + 8).and_then(|o| o.try_into().ok()).map(i64::from_ne_bytes);
    let mut wrong = match len {
        Expr::Ellipsis => Vec::new(),
        len => Wrong::unless_same("length of the value", number(len)?.to_string(), told.len().to_string()),
    };
    let (wanted, got) = match expected {
        Expr::Ellipsis => return Ok(wrong),
        Expr::Text(text) => {
            let end = told.iter().position(|o| *o == 0).unwrap_or(told.len());
            (text.clone(), String::from_utf8_lossy(told.get(..end).unwrap_or_default()).into_owned())
        }
        // SO_ERROR by name.
        Expr::Word(name) if name.starts_with('E') => {
            let errno = narrow(0).unwrap_or(0);
            (name.clone(), if errno == 0 { "0".into() } else { format!("{:?}", Errno::from_raw(errno)) })
        }
        v if v.field("onoff").is_some() => {
            let show = |on: i64, time: i64| format!("{{onoff={on}, linger={time}}}");
            let part = |place| i64::from(narrow(place).unwrap_or(-1));
            (show(field(v, "onoff")?, field(v, "linger")?), show(part(0), part(4)))
        }
        v if v.field("tv_sec").or(v.field("tv_usec")).is_some() => {
            let show = |secs: i64, micros: i64| format!("{{tv_sec={secs}, tv_usec={micros}}}");
            (
                show(field(v, "tv_sec")?, field(v, "tv_usec")?),
                show(wide(0).unwrap_or(-1), wide(8).unwrap_or(-1)),
            )
        }
        v => {
            let wanted = value_of(v)?;
            let got = match told {
                [octet] => i64::from(*octet),
                _ => i64::from(narrow(0).unwrap_or(-1)),
            };
            (wanted.to_string(), got.to_string())
        }
    };
    wrong.extend(Wrong::unless_same("value", wanted, got));
    Ok(wrong)
}

#[cfg(test)]
mod tests;
