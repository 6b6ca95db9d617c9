//! The struct of functions that the original program calls, in its order, and the function that fills it.

use std::ffi::CStr;

use libc::{
    c_char, c_int, c_longlong, c_uint, c_ulong, c_void, epoll_event, iovec, loff_t, msghdr, nfds_t, pollfd,
    size_t, sockaddr, socklen_t, ssize_t, timeval, timezone, useconds_t,
};

use crate::address::{self, Given};
use crate::border::cross;
use crate::calls::{self, Read, Write};
use crate::machine;
use crate::memory::{copy_out, copy_out_with_len, gather, octets, put, scatter, vector};

type User = *mut c_void;

/// What the program calls. The first argument of each function is `userdata`.
#[expect(missing_docs, reason = "each field is the system call of its name")]
#[repr(C)]
#[derive(Debug)]
pub struct Interface {
    pub userdata: User,
    pub free: extern "C" fn(User),
    pub socket: extern "C" fn(User, c_int, c_int, c_int) -> c_int,
    pub bind: unsafe extern "C" fn(User, c_int, *const sockaddr, socklen_t) -> c_int,
    pub listen: extern "C" fn(User, c_int, c_int) -> c_int,
    pub accept: unsafe extern "C" fn(User, c_int, *mut sockaddr, *mut socklen_t) -> c_int,
    pub connect: unsafe extern "C" fn(User, c_int, *const sockaddr, socklen_t) -> c_int,
    pub read: unsafe extern "C" fn(User, c_int, *mut c_void, size_t) -> ssize_t,
    pub readv: unsafe extern "C" fn(User, c_int, *const iovec, c_int) -> ssize_t,
    pub recv: unsafe extern "C" fn(User, c_int, *mut c_void, size_t, c_int) -> ssize_t,
    pub recvfrom: unsafe extern "C" fn(
        User,
        c_int,
        *mut c_void,
        size_t,
        c_int,
        *mut sockaddr,
        *mut socklen_t,
    ) -> ssize_t,
    pub recvmsg: unsafe extern "C" fn(User, c_int, *mut msghdr, c_int) -> ssize_t,
    pub write: unsafe extern "C" fn(User, c_int, *const c_void, size_t) -> ssize_t,
    pub writev: unsafe extern "C" fn(User, c_int, *const iovec, c_int) -> ssize_t,
    pub send: unsafe extern "C" fn(User, c_int, *const c_void, size_t, c_int) -> ssize_t,
    pub sendto: unsafe extern "C" fn(
        User,
        c_int,
        *const c_void,
        size_t,
        c_int,
        *const sockaddr,
        socklen_t,
    ) -> ssize_t,
    pub sendmsg: unsafe extern "C" fn(User, c_int, *const msghdr, c_int) -> ssize_t,
    /// Variadic in C: integers and pointers come in the same registers either way.
    pub fcntl: extern "C" fn(User, c_int, c_int, c_int) -> c_int,
    /// Variadic in C, as `fcntl`.
    pub ioctl: unsafe extern "C" fn(User, c_int, c_ulong, *mut c_int) -> c_int,
    pub close: extern "C" fn(User, c_int) -> c_int,
    pub shutdown: extern "C" fn(User, c_int, c_int) -> c_int,
    pub getsockopt: unsafe extern "C" fn(User, c_int, c_int, c_int, *mut c_void, *mut socklen_t) -> c_int,
    pub setsockopt: unsafe extern "C" fn(User, c_int, c_int, c_int, *const c_void, socklen_t) -> c_int,
    pub poll: unsafe extern "C" fn(User, *mut pollfd, nfds_t, c_int) -> c_int,
    /// A whole IP packet for the stack.
    pub netdev_send: unsafe extern "C" fn(User, *const c_void, size_t) -> c_int,
    /// The next packet of the stack, its size, its time in microseconds.
    pub netdev_receive: unsafe extern "C" fn(User, *mut c_void, *mut size_t, *mut c_longlong) -> c_int,
    pub usleep: extern "C" fn(User, useconds_t) -> c_int,
    pub gettimeofday: unsafe extern "C" fn(User, *mut timeval, *mut timezone) -> c_int,
    pub epoll_create: extern "C" fn(User, c_int) -> c_int,
    pub epoll_ctl: unsafe extern "C" fn(User, c_int, c_int, c_int, *mut epoll_event) -> c_int,
    pub epoll_wait: unsafe extern "C" fn(User, c_int, *mut epoll_event, c_int, c_int) -> c_int,
    pub pipe: unsafe extern "C" fn(User, *mut c_int) -> c_int,
    pub splice: unsafe extern "C" fn(User, c_int, *mut loff_t, c_int, *mut loff_t, size_t, c_uint) -> ssize_t,
}

/// Fills the struct and begins anew, whatever was before. The calling thread is the one that lets time pass.
///
/// Flags that are not understood end the process, as there is no other way to refuse.
///
/// # Safety
/// `flags` is null or a C string; `interface` points to a struct that the caller lets us write.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn packetdrill_interface_init(flags: *const c_char, interface: *mut Interface) {
    let text = if flags.is_null() {
        String::new()
    } else {
        // SAFETY: not null, and by the contract a string that ends with zero.
        unsafe { CStr::from_ptr(flags) }.to_string_lossy().into_owned()
    };
    let started = std::panic::catch_unwind(|| machine::start(&text));
    if interface.is_null() || !matches!(started, Ok(Ok(()))) {
        let why = started.ok().and_then(Result::err).unwrap_or_else(|| "cannot start".into());
        eprintln!("synfin: --so_flags={text}: {why}");
        std::process::exit(2);
    }
    let filled = Interface {
        userdata: std::ptr::null_mut(),
        free,
        socket,
        bind,
        listen,
        accept,
        connect,
        read,
        readv,
        recv,
        recvfrom,
        recvmsg,
        write,
        writev,
        send,
        sendto,
        sendmsg,
        fcntl,
        ioctl,
        close,
        shutdown,
        getsockopt,
        setsockopt,
        poll,
        netdev_send,
        netdev_receive,
        usleep,
        gettimeofday,
        epoll_create,
        epoll_ctl,
        epoll_wait,
        pipe,
        splice,
    };
    // SAFETY: not null, and by the contract writable.
    unsafe { interface.write(filled) };
    // Programs that the script starts must not load this object.
    if std::env::var("LD_PRELOAD").is_ok_and(|v| v.contains("synfin_packetdrill")) {
        // SAFETY: the program has one other thread at most, which waits for its first call and reads no variables.
        unsafe { std::env::remove_var("LD_PRELOAD") };
    }
}

extern "C" fn free(_: User) {
    let _: c_int = cross(|| {
        machine::stop();
        Ok(0)
    });
}

extern "C" fn socket(_: User, domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    cross(|| calls::socket(domain, kind, protocol))
}

/// # Safety
/// `at` is null or points to `len` octets.
unsafe fn given(at: *const sockaddr, len: socklen_t) -> Result<Given, c_int> {
    // SAFETY: the same contract.
    Ok(address::read(unsafe { octets(at.cast(), len as usize) }?))
}

unsafe extern "C" fn bind(_: User, fd: c_int, at: *const sockaddr, len: socklen_t) -> c_int {
    // SAFETY: the caller passes an address and its length.
    cross(|| calls::to_address("bind", fd, unsafe { given(at, len) }?))
}

unsafe extern "C" fn connect(_: User, fd: c_int, at: *const sockaddr, len: socklen_t) -> c_int {
    // SAFETY: the caller passes an address and its length.
    cross(|| calls::to_address("connect", fd, unsafe { given(at, len) }?))
}

extern "C" fn listen(_: User, fd: c_int, backlog: c_int) -> c_int {
    cross(|| calls::with_number("listen", fd, backlog.into()))
}

extern "C" fn shutdown(_: User, fd: c_int, how: c_int) -> c_int {
    cross(|| calls::with_number("shutdown", fd, how.into()))
}

unsafe extern "C" fn accept(_: User, fd: c_int, at: *mut sockaddr, len: *mut socklen_t) -> c_int {
    cross(|| {
        let (new, peer) = calls::accept(fd)?;
        if at.is_null() {
            return Ok(new);
        }
        debug_assert!(peer.len() <= address::MOST);
        // SAFETY: the caller passes room for an address, and a number that tells how much.
        unsafe { copy_out_with_len(&peer, at.cast(), len) }?;
        // SAFETY: copy_out_with_len has refused null. POSIX: the whole length, however much fits.
        unsafe { put(peer.len() as socklen_t, len) }?;
        Ok(new)
    })
}

/// # Safety
/// `at` is null or points to `len` octets to write.
unsafe fn read_to(fd: c_int, at: *mut c_void, len: size_t, how: Read) -> ssize_t {
    cross(|| {
        // Text may be thrown away unseen; otherwise it needs a place.
        let thrown = matches!(how, Read::Flags(flags) if flags & libc::MSG_TRUNC != 0);
        if at.is_null() && len > 0 && !thrown {
            return calls::exists(fd).and(Err(libc::EFAULT));
        }
        let text = calls::read(fd, len, &how)?;
        if !at.is_null() {
            // SAFETY: the same contract.
            unsafe { copy_out(&text, at, len) }?;
        }
        Ok(text.len() as ssize_t)
    })
}

unsafe extern "C" fn read(_: User, fd: c_int, at: *mut c_void, len: size_t) -> ssize_t {
    // SAFETY: the caller passes room and how much.
    unsafe { read_to(fd, at, len, Read::Plain) }
}

unsafe extern "C" fn recv(_: User, fd: c_int, at: *mut c_void, len: size_t, flags: c_int) -> ssize_t {
    // SAFETY: the caller passes room and how much.
    unsafe { read_to(fd, at, len, Read::Flags(flags)) }
}

unsafe extern "C" fn recvfrom(
    _: User,
    fd: c_int,
    at: *mut c_void,
    len: size_t,
    flags: c_int,
    _: *mut sockaddr,
    from_len: *mut socklen_t,
) -> ssize_t {
    // SAFETY: the caller passes room and how much.
    let n = unsafe { read_to(fd, at, len, Read::Flags(flags)) };
    if n >= 0 && !from_len.is_null() {
        // A stream has no addresses (tcp(7)).
        // SAFETY: not null; the caller passes a number to write.
        unsafe { from_len.write_unaligned(0) };
    }
    n
}

/// # Safety
/// Each buffer is null or as long as it says.
unsafe fn read_vector(fd: c_int, buffers: &[iovec], how: &Read) -> Result<ssize_t, c_int> {
    let text = calls::read(fd, buffers.iter().map(|b| b.iov_len).sum(), how)?;
    // SAFETY: the same contract.
    unsafe { scatter(&text, buffers) }?;
    Ok(text.len() as ssize_t)
}

unsafe extern "C" fn readv(_: User, fd: c_int, at: *const iovec, count: c_int) -> ssize_t {
    // SAFETY: the caller passes buffers and how many; each says how long it is.
    cross(|| unsafe { read_vector(fd, vector(at, count)?, &Read::Plain) })
}

/// The control message that tells how much is left to read: `struct cmsghdr`, an int, and what fills the last word.
fn queue_message(left: c_int) -> Vec<u8> {
    const TCP_CM_INQ: c_int = 36;
    let len = size_of::<usize>() + 3 * size_of::<c_int>();
    [
        &len.to_ne_bytes()[..],
        &libc::SOL_TCP.to_ne_bytes(),
        &TCP_CM_INQ.to_ne_bytes(),
        &left.to_ne_bytes(),
        &[0; 4],
    ]
    .concat()
}

unsafe extern "C" fn recvmsg(_: User, fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
    cross(|| {
        // SAFETY: the caller passes null or a message that is his and that nobody else looks at.
        let message = unsafe { message.as_mut() }.ok_or(libc::EFAULT)?;
        let count = message.msg_iovlen.try_into().map_err(|_| libc::EMSGSIZE)?;
        // SAFETY: a message has its buffers, and each says how long it is.
        let n = unsafe { read_vector(fd, vector(message.msg_iov, count)?, &Read::Message(flags)) }?;
        let left = calls::left_to_read(fd)?.map(queue_message).unwrap_or_default();
        let room = if message.msg_control.is_null() { 0 } else { message.msg_controllen };
        message.msg_flags = if left.len() > room { libc::MSG_CTRUNC } else { 0 };
        let room = if left.len() > room { 0 } else { room };
        // SAFETY: a message has as much room for control messages as it says, or none.
        message.msg_controllen = unsafe { copy_out(&left, message.msg_control, room) }?;
        message.msg_namelen = 0;
        Ok(n)
    })
}

/// # Safety
/// `at` is null or points to `len` octets.
unsafe fn write_from(fd: c_int, at: *const c_void, len: size_t, how: Write) -> ssize_t {
    cross(|| {
        calls::exists(fd)?;
        // SAFETY: the same contract.
        calls::write(fd, unsafe { octets(at, len) }?, &how)
    })
}

unsafe extern "C" fn write(_: User, fd: c_int, at: *const c_void, len: size_t) -> ssize_t {
    // SAFETY: the caller passes octets and how many.
    unsafe { write_from(fd, at, len, Write::Plain) }
}

unsafe extern "C" fn send(_: User, fd: c_int, at: *const c_void, len: size_t, flags: c_int) -> ssize_t {
    // SAFETY: the caller passes octets and how many.
    unsafe { write_from(fd, at, len, Write::Flags(flags)) }
}

unsafe extern "C" fn sendto(
    _: User,
    fd: c_int,
    at: *const c_void,
    len: size_t,
    flags: c_int,
    _: *const sockaddr,
    _: socklen_t,
) -> ssize_t {
    // SAFETY: the caller passes octets and how many. A connected stream goes where it goes.
    unsafe { write_from(fd, at, len, Write::Flags(flags)) }
}

unsafe extern "C" fn writev(_: User, fd: c_int, at: *const iovec, count: c_int) -> ssize_t {
    cross(|| {
        calls::exists(fd)?;
        // SAFETY: the caller passes buffers and how many; each says how long it is.
        let text = unsafe { gather(vector(at, count)?) }?;
        calls::write(fd, &text, &Write::Plain)
    })
}

unsafe extern "C" fn sendmsg(_: User, fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    cross(|| {
        calls::exists(fd)?;
        // SAFETY: the caller passes null or a message that nobody changes meanwhile.
        let message = unsafe { message.as_ref() }.ok_or(libc::EFAULT)?;
        if message.msg_controllen > 0 && !message.msg_control.is_null() {
            eprintln!("synfin: sendmsg: control messages are not supported");
            return Err(libc::EOPNOTSUPP);
        }
        let count = message.msg_iovlen.try_into().map_err(|_| libc::EMSGSIZE)?;
        // SAFETY: a message has its buffers, and each says how long it is.
        let text = unsafe { gather(vector(message.msg_iov, count)?) }?;
        calls::write(fd, &text, &Write::Message(flags))
    })
}

extern "C" fn fcntl(_: User, fd: c_int, command: c_int, arg: c_int) -> c_int {
    cross(|| calls::fcntl(fd, command, arg))
}

unsafe extern "C" fn ioctl(_: User, fd: c_int, command: c_ulong, arg: *mut c_int) -> c_int {
    cross(|| {
        // A command was an int once: what its sign has put above is cut off.
        if let Some(answer) = calls::ioctl(fd, command as u32)? {
            // SAFETY: commands that answer have an int to write to.
            unsafe { put(answer, arg) }?;
        }
        Ok(0)
    })
}

extern "C" fn close(_: User, fd: c_int) -> c_int {
    cross(|| calls::close(fd))
}

unsafe extern "C" fn getsockopt(
    _: User,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: the caller passes room, and a number that tells how much.
    unsafe { option_out(fd, level, name, value, len) }
}

/// getsockopt(2) of one of our sockets.
///
/// # Safety
/// `len` is null or points to a number that tells how many octets `value` points to, if that is not null.
pub(crate) unsafe fn option_out(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    cross(|| {
        let bytes = calls::getsockopt(fd, level, name)?;
        // SAFETY: the same contract.
        unsafe { copy_out_with_len(&bytes, value, len) }?;
        Ok(0)
    })
}

unsafe extern "C" fn setsockopt(
    _: User,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    cross(|| {
        calls::exists(fd)?;
        // SAFETY: the caller passes a value and its length.
        calls::setsockopt(fd, level, name, unsafe { octets(value, len as usize) }?)
    })
}

unsafe extern "C" fn poll(_: User, at: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int {
    cross(|| {
        let count = usize::try_from(count).ok().filter(|n| *n <= 1024).ok_or(libc::EINVAL)?;
        if at.is_null() && count > 0 {
            return Err(libc::EFAULT);
        }
        let items = if count == 0 {
            &mut []
        } else {
            // SAFETY: not null; the caller passes `count` items that are his.
            unsafe { std::slice::from_raw_parts_mut(at, count) }
        };
        let asked: Vec<_> = items.iter().map(|i| (i.fd, i.events)).collect();
        let (n, told) = calls::poll(&asked, timeout)?;
        items.iter_mut().zip(told).for_each(|(item, revents)| item.revents = revents);
        Ok(n)
    })
}

unsafe extern "C" fn netdev_send(_: User, packet: *const c_void, len: size_t) -> c_int {
    cross(|| {
        // SAFETY: the caller passes a packet and its length.
        machine::send(unsafe { octets(packet, len) }?)?;
        Ok(0)
    })
}

unsafe extern "C" fn netdev_receive(
    _: User,
    at: *mut c_void,
    len: *mut size_t,
    time: *mut c_longlong,
) -> c_int {
    cross(|| {
        if len.is_null() {
            return Err(libc::EFAULT);
        }
        // SAFETY: not null; the caller tells in it how much room there is.
        let room = unsafe { len.read_unaligned() };
        // An empty packet is an answer that every caller understands: nothing will come.
        let (packet, at_time) = match machine::receive()? {
            Some((packet, t)) => (packet, t),
            None => (Vec::new(), machine::time()?),
        };
        // SAFETY: the caller passes that much room.
        let n = unsafe { copy_out(&packet, at, room) }?;
        // SAFETY: not null, and the caller's to write.
        unsafe { put(n, len) }?;
        // SAFETY: null or the caller's to write.
        unsafe { put(at_time, time) }?;
        Ok(0)
    })
}

extern "C" fn usleep(_: User, micros: useconds_t) -> c_int {
    cross(|| calls::usleep(micros))
}

unsafe extern "C" fn gettimeofday(_: User, at: *mut timeval, _: *mut timezone) -> c_int {
    cross(|| {
        let now = machine::time()?;
        let value = timeval { tv_sec: now / 1_000_000, tv_usec: now % 1_000_000 };
        // SAFETY: null or the caller's to write.
        unsafe { put(value, at) }?;
        Ok(0)
    })
}

extern "C" fn epoll_create(_: User, hint: c_int) -> c_int {
    cross(|| calls::epoll_create(hint))
}

unsafe extern "C" fn epoll_ctl(
    _: User,
    set: c_int,
    operation: c_int,
    fd: c_int,
    event: *mut epoll_event,
) -> c_int {
    cross(|| {
        let event = if event.is_null() {
            None
        } else {
            // SAFETY: not null; the caller passes an event to read.
            let event = unsafe { event.read_unaligned() };
            Some((event.events, event.u64))
        };
        calls::epoll_ctl(set, operation, fd, event)
    })
}

unsafe extern "C" fn epoll_wait(
    _: User,
    set: c_int,
    events: *mut epoll_event,
    most: c_int,
    timeout: c_int,
) -> c_int {
    cross(|| {
        let told = calls::epoll_wait(set, most, timeout)?;
        for (i, (events_of, data)) in told.iter().enumerate() {
            if events.is_null() {
                return Err(libc::EFAULT);
            }
            // SAFETY: not null; the caller passes room for `most` events, and no more are told.
            unsafe { events.add(i).write_unaligned(epoll_event { events: *events_of, u64: *data }) };
        }
        Ok(told.len() as c_int)
    })
}

unsafe extern "C" fn pipe(_: User, ends: *mut c_int) -> c_int {
    cross(|| {
        let made = calls::pipe()?;
        // SAFETY: null or the caller's two numbers to write.
        unsafe { put(made, ends.cast::<[c_int; 2]>()) }?;
        Ok(0)
    })
}

unsafe extern "C" fn splice(
    _: User,
    from: c_int,
    from_at: *mut loff_t,
    to: c_int,
    to_at: *mut loff_t,
    len: size_t,
    flags: c_uint,
) -> ssize_t {
    cross(|| {
        for place in [from_at, to_at] {
            // SAFETY: read only if not null; the caller passes null or a number.
            if !place.is_null() && unsafe { place.read_unaligned() } != 0 {
                // No stream has places; a place of 0 is how the program says that there is none.
                return Err(libc::ESPIPE);
            }
        }
        calls::splice(from, to, len, flags)
    })
}
