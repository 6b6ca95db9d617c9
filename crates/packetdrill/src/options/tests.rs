use super::*;

#[test]
fn every_shape_is_read() {
    let two = |a: i32, b: i32| [a.to_ne_bytes(), b.to_ne_bytes()].concat();
    let show = |shape, bytes: &[u8]| argument(shape, "SOL_TCP", bytes).unwrap().to_string();
    assert_eq!(show(Shape::Int, &(-3_i32).to_ne_bytes()), "-3");
    assert_eq!(show(Shape::Linger, &two(1, 7)), "{onoff=1, linger=7}");
    let time = [2_i64.to_ne_bytes(), 5_i64.to_ne_bytes()].concat();
    assert_eq!(show(Shape::Time, &time), "{tv_sec=2, tv_usec=5}");
    assert_eq!(show(Shape::Text, b"reno\0rest"), "\"reno\"");
    assert_eq!(argument(Shape::Int, "SOL_TCP", &[1, 0]), Err(libc::EINVAL));
    assert_eq!(argument(Shape::Int, "SOL_IP", &[16]), Ok(Expr::Int(16)));
    assert_eq!(argument(Shape::Int, "SOL_IP", &[]), Err(libc::EINVAL));
    assert_eq!(argument(Shape::Linger, "SOL_SOCKET", &two(1, 7)[..5]), Err(libc::EINVAL));
}

#[test]
fn every_value_has_its_form() {
    let ints = |value: Value| -> Vec<i32> {
        memory(&value).unwrap().as_chunks::<4>().0.iter().map(|b| i32::from_ne_bytes(*b)).collect()
    };
    assert_eq!(ints(Value::Number(1460)), [1460]);
    assert_eq!(ints(Value::Linger(Some(Duration::from_secs(3)))), [1, 3]);
    assert_eq!(ints(Value::Linger(None)), [0, 0]);
    assert_eq!(ints(Value::Error(Some("ECONNRESET"))), [104]);
    assert_eq!(ints(Value::Error(None)), [0]);
    assert_eq!(memory(&Value::Text("reno")).unwrap(), b"reno\0\0\0\0\0\0\0\0\0\0\0\0");
}
