//! Values of socket options in memory, there and back.

use std::time::Duration;

use libc::c_int;
use synfin_script::ast::{Expr, Field};
use synfin_script::sockets::Value;

use crate::numbers::{Shape, errno};

fn int(bytes: &[u8], at: usize) -> Result<i64, c_int> {
    let octets = bytes.get(at..).and_then(|b| b.first_chunk()).ok_or(libc::EINVAL)?;
    Ok(i32::from_ne_bytes(*octets).into())
}

fn long(bytes: &[u8], at: usize) -> Result<i64, c_int> {
    let octets = bytes.get(at..).and_then(|b| b.first_chunk()).ok_or(libc::EINVAL)?;
    Ok(i64::from_ne_bytes(*octets))
}

fn fields(all: [(&str, i64); 2]) -> Expr {
    let field = |(name, n): (&str, i64)| Field { name: Some(name.into()), count: None, value: Expr::Int(n) };
    Expr::Struct(all.map(field).into())
}

/// What setsockopt got, as an argument of a call.
///
/// # Errors
/// EINVAL: too short.
pub(crate) fn argument(shape: Shape, level: &str, bytes: &[u8]) -> Result<Expr, c_int> {
    Ok(match (shape, bytes) {
        // Options of IP may be a single octet (ip(7)).
        (Shape::Int, [octet, rest @ ..]) if level == "SOL_IP" && rest.len() < 3 => Expr::Int((*octet).into()),
        (Shape::Int, _) => Expr::Int(int(bytes, 0)?),
        (Shape::Linger, _) => fields([("onoff", int(bytes, 0)?), ("linger", int(bytes, 4)?)]),
        (Shape::Time, _) => fields([("tv_sec", long(bytes, 0)?), ("tv_usec", long(bytes, 8)?)]),
        (Shape::Text, _) => {
            let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
            Expr::Text(String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned())
        }
    })
}

/// Linux's TCP_CA_NAME_MAX.
const NAME: usize = 16;

/// What getsockopt hands out.
///
/// # Errors
/// ENOPROTOOPT: a value without a form in memory.
pub(crate) fn memory(value: &Value) -> Result<Vec<u8>, c_int> {
    let int = |n: i64| i32::try_from(n).unwrap_or(i32::MAX).to_ne_bytes();
    Ok(match value {
        Value::Number(n) => int(*n).to_vec(),
        Value::Linger(time) => {
            let seconds = time.as_ref().map_or(0, Duration::as_secs);
            [int(time.is_some().into()), int(seconds.try_into().unwrap_or(i64::MAX))].concat()
        }
        Value::Text(text) => {
            let mut name = text.as_bytes().to_vec();
            name.resize(NAME.max(name.len()), 0);
            name
        }
        Value::Error(name) => int(name.map_or(0, errno).into()).to_vec(),
        _ => return Err(libc::ENOPROTOOPT),
    })
}

#[cfg(test)]
mod tests;
