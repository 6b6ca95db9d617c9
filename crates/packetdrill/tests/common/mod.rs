//! The shared object as a program sees it: loaded from its file, its struct declared anew by place.
#![allow(dead_code, reason = "each test program uses its part of this")]

pub mod calls;
pub mod player;

use std::ffi::CString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::ptr::{null, null_mut};

use libc::{c_char, c_int, c_longlong, c_void, epoll_event, iovec, msghdr, pollfd, sockaddr, timeval};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

/// Numbers of the functions in the struct, `userdata` being number 0.
pub mod place {
    pub const FREE: usize = 1;
    pub const SOCKET: usize = 2;
    pub const BIND: usize = 3;
    pub const LISTEN: usize = 4;
    pub const ACCEPT: usize = 5;
    pub const CONNECT: usize = 6;
    pub const READ: usize = 7;
    pub const READV: usize = 8;
    pub const RECV: usize = 9;
    pub const RECVFROM: usize = 10;
    pub const RECVMSG: usize = 11;
    pub const WRITE: usize = 12;
    pub const WRITEV: usize = 13;
    pub const SEND: usize = 14;
    pub const SENDTO: usize = 15;
    pub const SENDMSG: usize = 16;
    pub const FCNTL: usize = 17;
    pub const IOCTL: usize = 18;
    pub const CLOSE: usize = 19;
    pub const SHUTDOWN: usize = 20;
    pub const GETSOCKOPT: usize = 21;
    pub const SETSOCKOPT: usize = 22;
    pub const POLL: usize = 23;
    pub const NETDEV_SEND: usize = 24;
    pub const NETDEV_RECEIVE: usize = 25;
    pub const USLEEP: usize = 26;
    pub const GETTIMEOFDAY: usize = 27;
    pub const EPOLL_CREATE: usize = 28;
    pub const EPOLL_CTL: usize = 29;
    pub const EPOLL_WAIT: usize = 30;
    pub const PIPE: usize = 31;
    pub const SPLICE: usize = 32;
}

/// `userdata` and the functions.
#[repr(C)]
struct Table([*const c_void; 33]);

/// A result, or errno as it was right after the call.
pub type Got = Result<i64, i32>;

/// The file: beside this test program, where cargo puts it.
pub fn file() -> PathBuf {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
    let name = format!("{}synfin_packetdrill{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let places = [deps.join(&name), deps.parent().unwrap().join(&name)];
    places.iter().find(|p| p.exists()).unwrap_or_else(|| panic!("no {name} in {}", deps.display())).clone()
}

/// The loaded object after its init.
pub struct Tool {
    table: Table,
    library: Library,
}

// SAFETY: the functions may be called from two threads: that is what they are made for. `userdata` is not touched.
unsafe impl Send for Tool {}
// SAFETY: as above.
unsafe impl Sync for Tool {}

fn got(value: impl Into<i64>) -> Got {
    let value = value.into();
    if value >= 0 { Ok(value) } else { Err(io::Error::last_os_error().raw_os_error().unwrap()) }
}

macro_rules! call {
    ($tool:expr, $place:ident, fn($($kind:ty),*) -> $back:ty, $($arg:expr),*) => {{
        let at = $tool.table.0[place::$place];
        assert!(!at.is_null(), stringify!($place));
        // SAFETY: the struct has a function of this type at this place.
        let function: extern "C" fn(*const c_void, $($kind),*) -> $back = unsafe { std::mem::transmute(at) };
        function($tool.table.0[0], $($arg),*)
    }};
}

impl Tool {
    /// Loads the object as the original program does, and fills the struct.
    pub fn init(flags: Option<&str>) -> Tool {
        // SAFETY: what runs at loading is the start of Rust's library.
        let library = unsafe {
            Library::open(Some(file()), RTLD_NOW | RTLD_LOCAL | libc::RTLD_NODELETE | libc::RTLD_DEEPBIND)
        };
        let library = library.unwrap_or_else(|e| panic!("{e}"));
        let mut table = Table([null(); 33]);
        let flags = flags.map(|f| CString::new(f).unwrap());
        // SAFETY: the symbol has this type, the string lives through the call, and the struct is as large as it should be.
        unsafe {
            let init = library
                .get::<unsafe extern "C" fn(*const c_char, *mut Table)>(b"packetdrill_interface_init\0")
                .unwrap();
            init(flags.as_ref().map_or(null(), |f| f.as_ptr()), &raw mut table);
        }
        assert!(table.0[1..].iter().all(|f| !f.is_null()), "a function is missing");
        Tool { table, library }
    }

    /// `free`
    pub fn free(&self) {
        call!(self, FREE, fn() -> (),);
    }

    pub fn socket(&self, domain: c_int, kind: c_int, protocol: c_int) -> Got {
        got(call!(self, SOCKET, fn(c_int, c_int, c_int) -> c_int, domain, kind, protocol))
    }

    fn to_address(&self, name: usize, fd: i64, address: &[u8]) -> Got {
        let (at, len) = (address.as_ptr().cast::<sockaddr>(), address.len() as u32);
        got(match name {
            place::BIND => call!(self, BIND, fn(c_int, *const sockaddr, u32) -> c_int, fd as c_int, at, len),
            _ => call!(self, CONNECT, fn(c_int, *const sockaddr, u32) -> c_int, fd as c_int, at, len),
        })
    }

    pub fn bind(&self, fd: i64, address: &[u8]) -> Got {
        self.to_address(place::BIND, fd, address)
    }

    pub fn connect(&self, fd: i64, address: &[u8]) -> Got {
        self.to_address(place::CONNECT, fd, address)
    }

    pub fn listen(&self, fd: i64, backlog: c_int) -> Got {
        got(call!(self, LISTEN, fn(c_int, c_int) -> c_int, fd as c_int, backlog))
    }

    pub fn shutdown(&self, fd: i64, how: c_int) -> Got {
        got(call!(self, SHUTDOWN, fn(c_int, c_int) -> c_int, fd as c_int, how))
    }

    pub fn close(&self, fd: i64) -> Got {
        got(call!(self, CLOSE, fn(c_int) -> c_int, fd as c_int))
    }

    /// The new descriptor and the peer's address.
    pub fn accept(&self, fd: i64) -> Result<(i64, Vec<u8>), i32> {
        let (mut room, mut len) = ([0_u8; 28], 28_u32);
        let (at, len_at) = (room.as_mut_ptr().cast::<sockaddr>(), &raw mut len);
        let new =
            got(call!(self, ACCEPT, fn(c_int, *mut sockaddr, *mut u32) -> c_int, fd as c_int, at, len_at))?;
        Ok((new, room[..len as usize].to_vec()))
    }

    pub fn read(&self, fd: i64, len: usize) -> Result<Vec<u8>, i32> {
        let mut room = vec![0_u8; len];
        let at = room.as_mut_ptr().cast::<c_void>();
        let n = got(call!(self, READ, fn(c_int, *mut c_void, usize) -> isize, fd as c_int, at, len) as i64)?;
        room.truncate(n as usize);
        Ok(room)
    }

    pub fn recv(&self, fd: i64, len: usize, flags: c_int) -> Result<Vec<u8>, i32> {
        let mut room = vec![0_u8; len];
        let at = room.as_mut_ptr().cast::<c_void>();
        let n =
            got(
                call!(self, RECV, fn(c_int, *mut c_void, usize, c_int) -> isize, fd as c_int, at, len, flags)
                    as i64,
            )?;
        room.truncate(n as usize);
        Ok(room)
    }

    pub fn recvfrom(&self, fd: i64, len: usize, flags: c_int) -> Result<Vec<u8>, i32> {
        let mut room = vec![0_u8; len];
        let at = room.as_mut_ptr().cast::<c_void>();
        let n = got(call!(
            self,
            RECVFROM,
            fn(c_int, *mut c_void, usize, c_int, *mut sockaddr, *mut u32) -> isize,
            fd as c_int,
            at,
            len,
            flags,
            null_mut(),
            null_mut()
        ) as i64)?;
        room.truncate(n as usize);
        Ok(room)
    }

    pub fn readv(&self, fd: i64, lens: &[usize]) -> Result<Vec<u8>, i32> {
        let (mut rooms, vector) = rooms(lens);
        let n = got(call!(
            self,
            READV,
            fn(c_int, *const iovec, c_int) -> isize,
            fd as c_int,
            vector.as_ptr(),
            vector.len() as c_int
        ) as i64)?;
        Ok(joined(&mut rooms, n))
    }

    /// Octets, msg_flags, and control messages.
    pub fn recvmsg(&self, fd: i64, lens: &[usize], flags: c_int) -> Result<(Vec<u8>, c_int, Vec<u8>), i32> {
        let (mut rooms, mut vector) = rooms(lens);
        let mut control = vec![0_u8; 256];
        // SAFETY: a struct of numbers and pointers: all zeros are a value of it.
        let mut message: msghdr = unsafe { std::mem::zeroed() };
        (message.msg_iov, message.msg_iovlen) = (vector.as_mut_ptr(), vector.len() as _);
        (message.msg_control, message.msg_controllen) = (control.as_mut_ptr().cast(), control.len() as _);
        let at = &raw mut message;
        let n =
            got(call!(self, RECVMSG, fn(c_int, *mut msghdr, c_int) -> isize, fd as c_int, at, flags) as i64)?;
        control.truncate(message.msg_controllen as usize);
        Ok((joined(&mut rooms, n), message.msg_flags, control))
    }

    pub fn write(&self, fd: i64, text: &[u8]) -> Got {
        let at = text.as_ptr().cast::<c_void>();
        got(call!(self, WRITE, fn(c_int, *const c_void, usize) -> isize, fd as c_int, at, text.len()) as i64)
    }

    /// write() with a null buffer.
    pub fn write_null(&self, fd: i64, len: usize) -> Got {
        got(call!(self, WRITE, fn(c_int, *const c_void, usize) -> isize, fd as c_int, null(), len) as i64)
    }

    pub fn send(&self, fd: i64, text: &[u8], flags: c_int) -> Got {
        let at = text.as_ptr().cast::<c_void>();
        got(call!(
            self,
            SEND,
            fn(c_int, *const c_void, usize, c_int) -> isize,
            fd as c_int,
            at,
            text.len(),
            flags
        ) as i64)
    }

    pub fn sendto(&self, fd: i64, text: &[u8], flags: c_int) -> Got {
        let at = text.as_ptr().cast::<c_void>();
        got(call!(
            self,
            SENDTO,
            fn(c_int, *const c_void, usize, c_int, *const sockaddr, u32) -> isize,
            fd as c_int,
            at,
            text.len(),
            flags,
            null(),
            0
        ) as i64)
    }

    pub fn writev(&self, fd: i64, text: &[u8], lens: &[usize]) -> Got {
        let vector = pieces(text, lens);
        got(call!(
            self,
            WRITEV,
            fn(c_int, *const iovec, c_int) -> isize,
            fd as c_int,
            vector.as_ptr(),
            vector.len() as c_int
        ) as i64)
    }

    pub fn sendmsg(&self, fd: i64, text: &[u8], lens: &[usize], flags: c_int) -> Got {
        let mut vector = pieces(text, lens);
        // SAFETY: a struct of numbers and pointers: all zeros are a value of it.
        let mut message: msghdr = unsafe { std::mem::zeroed() };
        (message.msg_iov, message.msg_iovlen) = (vector.as_mut_ptr(), vector.len() as _);
        got(call!(
            self,
            SENDMSG,
            fn(c_int, *const msghdr, c_int) -> isize,
            fd as c_int,
            &raw const message,
            flags
        ) as i64)
    }

    pub fn fcntl(&self, fd: i64, command: c_int, arg: c_int) -> Got {
        got(call!(self, FCNTL, fn(c_int, c_int, c_int) -> c_int, fd as c_int, command, arg))
    }

    /// The answer of an ioctl. Its number was an int once and comes with its sign.
    pub fn ioctl(&self, fd: i64, command: c_int) -> Got {
        let mut answer: c_int = -1;
        let (command, at) = (command as i64 as u64, &raw mut answer);
        got(call!(self, IOCTL, fn(c_int, u64, *mut c_int) -> c_int, fd as c_int, command, at))?;
        Ok(answer.into())
    }

    pub fn getsockopt(&self, fd: i64, level: c_int, name: c_int, room: usize) -> Result<Vec<u8>, i32> {
        let (mut value, mut len) = (vec![0_u8; room], room as u32);
        let (at, len_at) = (value.as_mut_ptr().cast::<c_void>(), &raw mut len);
        got(call!(
            self,
            GETSOCKOPT,
            fn(c_int, c_int, c_int, *mut c_void, *mut u32) -> c_int,
            fd as c_int,
            level,
            name,
            at,
            len_at
        ))?;
        value.truncate(len as usize);
        Ok(value)
    }

    pub fn setsockopt(&self, fd: i64, level: c_int, name: c_int, value: &[u8]) -> Got {
        let at = value.as_ptr().cast::<c_void>();
        got(call!(
            self,
            SETSOCKOPT,
            fn(c_int, c_int, c_int, *const c_void, u32) -> c_int,
            fd as c_int,
            level,
            name,
            at,
            value.len() as u32
        ))
    }

    pub fn poll(&self, items: &mut [pollfd], timeout: c_int) -> Got {
        let at = items.as_mut_ptr();
        got(call!(self, POLL, fn(*mut pollfd, u64, c_int) -> c_int, at, items.len() as u64, timeout))
    }

    pub fn netdev_send(&self, packet: &[u8]) -> Got {
        let at = packet.as_ptr().cast::<c_void>();
        got(call!(self, NETDEV_SEND, fn(*const c_void, usize) -> c_int, at, packet.len()))
    }

    /// A packet and its time; empty: none will come.
    pub fn netdev_receive(&self) -> Result<(Vec<u8>, i64), i32> {
        let (mut room, mut len, mut time) = (vec![0_u8; 65_536], 65_536_usize, 0 as c_longlong);
        let (at, len_at, time_at) = (room.as_mut_ptr().cast::<c_void>(), &raw mut len, &raw mut time);
        got(call!(
            self,
            NETDEV_RECEIVE,
            fn(*mut c_void, *mut usize, *mut c_longlong) -> c_int,
            at,
            len_at,
            time_at
        ))?;
        room.truncate(len);
        Ok((room, time))
    }

    pub fn usleep(&self, micros: u32) {
        assert_eq!(call!(self, USLEEP, fn(u32) -> c_int, micros), 0);
    }

    pub fn now(&self) -> i64 {
        let mut time = timeval { tv_sec: 0, tv_usec: 0 };
        let at = &raw mut time;
        assert_eq!(call!(self, GETTIMEOFDAY, fn(*mut timeval, *mut c_void) -> c_int, at, null_mut()), 0);
        time.tv_sec * 1_000_000 + time.tv_usec
    }

    pub fn epoll_create(&self, hint: c_int) -> Got {
        got(call!(self, EPOLL_CREATE, fn(c_int) -> c_int, hint))
    }

    pub fn epoll_ctl(&self, set: i64, operation: c_int, fd: i64, events: u32, data: u64) -> Got {
        let mut event = epoll_event { events, u64: data };
        let at = &raw mut event;
        got(call!(
            self,
            EPOLL_CTL,
            fn(c_int, c_int, c_int, *mut epoll_event) -> c_int,
            set as c_int,
            operation,
            fd as c_int,
            at
        ))
    }

    /// Events with the data that was left for them.
    pub fn epoll_wait(&self, set: i64, most: c_int, timeout: c_int) -> Result<Vec<(u32, u64)>, i32> {
        let mut events = vec![epoll_event { events: 0, u64: 0 }; most.max(0) as usize];
        let at = events.as_mut_ptr();
        let n = got(call!(
            self,
            EPOLL_WAIT,
            fn(c_int, *mut epoll_event, c_int, c_int) -> c_int,
            set as c_int,
            at,
            most,
            timeout
        ))?;
        Ok(events[..n as usize].iter().map(|e| (e.events, e.u64)).collect())
    }

    pub fn pipe(&self) -> Result<[i64; 2], i32> {
        let mut ends: [c_int; 2] = [-1; 2];
        let at = ends.as_mut_ptr();
        got(call!(self, PIPE, fn(*mut c_int) -> c_int, at))?;
        Ok(ends.map(i64::from))
    }

    /// splice() as the original calls it: places that are 0, never null.
    pub fn splice(&self, from: i64, to: i64, len: usize, flags: u32) -> Got {
        let (mut from_at, mut to_at) = (0_i64, 0_i64);
        let (from_at, to_at) = (&raw mut from_at, &raw mut to_at);
        got(call!(
            self,
            SPLICE,
            fn(c_int, *mut i64, c_int, *mut i64, usize, u32) -> isize,
            from as c_int,
            from_at,
            to as c_int,
            to_at,
            len,
            flags
        ) as i64)
    }

    /// getsockopt() of the preloaded object.
    pub fn shim_getsockopt(&self, fd: i64, level: c_int, name: c_int, room: usize) -> Result<Vec<u8>, i32> {
        type Function = unsafe extern "C" fn(c_int, c_int, c_int, *mut c_void, *mut u32) -> c_int;
        let (mut value, mut len) = (vec![0_u8; room], room as u32);
        // SAFETY: the symbol has this type; `value` has as many octets as `len` says.
        let result = unsafe {
            let function = self.library.get::<Function>(b"getsockopt\0").unwrap();
            function(fd as c_int, level, name, value.as_mut_ptr().cast(), &raw mut len)
        };
        got(result)?;
        value.truncate(len as usize);
        Ok(value)
    }

    /// close() of the preloaded object.
    pub fn shim_close(&self, fd: i64) -> Got {
        // SAFETY: the symbol has this type; the numbers that tests pass are theirs to close.
        got(unsafe {
            self.library.get::<unsafe extern "C" fn(c_int) -> c_int>(b"close\0").unwrap()(fd as c_int)
        })
    }

    /// sendfile() of the preloaded object, from the place at `offset` on.
    pub fn shim_sendfile(&self, to: i64, from: c_int, offset: &mut i64, count: usize) -> Got {
        type Function = unsafe extern "C" fn(c_int, c_int, *mut i64, usize) -> isize;
        // SAFETY: the symbol has this type, and `offset` may be read and written.
        got(unsafe { self.library.get::<Function>(b"sendfile\0").unwrap()(to as c_int, from, offset, count) }
            as i64)
    }
}

fn rooms(lens: &[usize]) -> (Vec<Vec<u8>>, Vec<iovec>) {
    let mut rooms: Vec<Vec<u8>> = lens.iter().map(|n| vec![0; *n]).collect();
    let vector = rooms.iter_mut().map(|r| iovec { iov_base: r.as_mut_ptr().cast(), iov_len: r.len() });
    let vector = vector.collect();
    (rooms, vector)
}

fn joined(rooms: &mut [Vec<u8>], n: i64) -> Vec<u8> {
    let mut all = rooms.concat();
    all.truncate(n as usize);
    all
}

fn pieces(mut text: &[u8], lens: &[usize]) -> Vec<iovec> {
    let piece = |len: &usize| {
        let (piece, rest) = text.split_at((*len).min(text.len()));
        text = rest;
        iovec { iov_base: piece.as_ptr().cast_mut().cast(), iov_len: piece.len() }
    };
    lens.iter().map(piece).collect()
}

/// `struct sockaddr_in` or `sockaddr_in6`; with `v6` addresses of IPv4 are mapped.
pub fn sockaddr_of(at: SocketAddr, v6: bool) -> Vec<u8> {
    let port = at.port().to_be_bytes();
    match at.ip() {
        std::net::IpAddr::V4(a) if !v6 => {
            [&(libc::AF_INET as u16).to_ne_bytes()[..], &port, &a.octets(), &[0; 8]].concat()
        }
        ip => {
            let a = match ip {
                std::net::IpAddr::V4(a) => a.to_ipv6_mapped(),
                std::net::IpAddr::V6(a) => a,
            };
            [&(libc::AF_INET6 as u16).to_ne_bytes()[..], &port, &[0; 4], &a.octets(), &[0; 4]].concat()
        }
    }
}

/// The state of a thread of this process, as the kernel tells it: `S` sleeps.
pub fn thread_state(thread: c_int) -> char {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
    // The name stands in parentheses and may hold anything.
    let rest = stat.rsplit_once(") ").map_or("?", |(_, rest)| rest);
    rest.chars().next().unwrap_or('?')
}

/// The kernel's number of the calling thread.
pub fn thread_number() -> c_int {
    // SAFETY: takes nothing and touches nothing.
    unsafe { libc::gettid() }
}
