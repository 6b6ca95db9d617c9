//! One life after the other through the shared object, call by call: what no script can say.

mod common;

use std::io::{Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::{Tool, file, sockaddr_of, thread_number, thread_state};
use libc::{EAGAIN, EBADF, ECONNREFUSED, EDEADLK, EFAULT, EINVAL, ENOPROTOOPT};
use synfin_script::ast::{Body, Packet, What};
use synfin_script::judge::{Flow, look};
use synfin_wire::{Endpoint, Flags, Tuple};

const FLAGS: &str = "settings=none,local=192.168.0.1,remote=192.0.2.1";

/// The object has one host at a time, and so one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A line of a script, as a packet.
fn line(text: &str) -> Packet {
    let script = synfin_script::parse(&format!("+0 {text}"), "line").unwrap();
    match &script.events[0].what {
        What::Packet(packet) => packet.clone(),
        other => panic!("{other:?}"),
    }
}

/// The peer of one connection.
struct Peer {
    tool: Arc<Tool>,
    flow: Flow,
}

impl Peer {
    fn new(tool: &Arc<Tool>, local: &str, remote: &str) -> Peer {
        let endpoint = |text: &str| Endpoint::from(text.parse::<std::net::SocketAddr>().unwrap());
        let tuple = Tuple { local: endpoint(local), remote: endpoint(remote) };
        Peer { tool: Arc::clone(tool), flow: Flow::new(tuple) }
    }

    fn send(&mut self, text: &str) {
        let packet = self.flow.inject(&line(text)).unwrap();
        assert_eq!(self.tool.netdev_send(&packet), Ok(0));
    }

    /// Fetches segments until there is as much text as the line says; the time of the last.
    fn expect(&mut self, text: &str) -> i64 {
        let wanted = line(text);
        let Body::Tcp(spec) = &wanted.body else { panic!("{text}") };
        let (mut live, mut octets, mut at) = (Vec::new(), 0, 0);
        while live.is_empty() || octets < spec.len as usize {
            let (packet, time) = self.tool.netdev_receive().unwrap();
            let seen = look(&packet).unwrap_or_else(|| panic!("{text}: nothing comes"));
            (octets, at) = (octets + seen.text, time);
            live.push(packet);
        }
        self.flow.expect(&wanted, &live).unwrap_or_else(|why| panic!("{text}: {why}"));
        at
    }
}

/// A listener with one connection, accepted.
fn accepted(tool: &Arc<Tool>) -> (i64, i64, Peer) {
    let listener = tool.socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP).unwrap();
    let here = sockaddr_of("192.168.0.1:8080".parse().unwrap(), false);
    assert_eq!(tool.bind(listener, &here), Ok(0));
    assert_eq!(tool.listen(listener, 1), Ok(0));
    let mut peer = Peer::new(tool, "192.168.0.1:8080", "192.0.2.1:52000");
    peer.send("< S 0:0(0) win 8000 <mss 1000>");
    peer.expect("> S. 0:0(0) ack 1 <mss 1460>");
    peer.send("< . 1:1(0) ack 1 win 8000");
    let (connection, address) = tool.accept(listener).unwrap();
    assert_eq!(address, sockaddr_of("192.0.2.1:52000".parse().unwrap(), false));
    (listener, connection, peer)
}

#[test]
fn a_whole_life() {
    let _one = alone();
    let tool = Arc::new(Tool::init(Some(FLAGS)));
    let (listener, fd, mut peer) = accepted(&tool);
    // What a program writes is what is sent: zeros, as those of the original.
    assert_eq!(tool.write(fd, &[0; 100]), Ok(100));
    let (packet, _) = tool.netdev_receive().unwrap();
    assert_eq!((look(&packet).unwrap().text, &packet[packet.len() - 100..]), (100, &[0; 100][..]));
    peer.send("< P. 1:51(50) ack 101 win 8000");
    assert_eq!(tool.read(fd, 20).unwrap().len(), 20);
    assert_eq!(tool.ioctl(fd, 0x541b), Ok(30));
    assert_eq!(tool.recv(fd, 99, libc::MSG_PEEK).unwrap().len(), 30);
    assert_eq!(tool.readv(fd, &[10, 7]).unwrap().len(), 17);
    assert_eq!(tool.recvmsg(fd, &[5, 99], 0).unwrap().0.len(), 13);
    assert_eq!(tool.recv(fd, 1, libc::MSG_DONTWAIT), Err(EAGAIN));
    let info = tool.shim_getsockopt(fd, libc::SOL_TCP, libc::TCP_INFO, 1000).unwrap();
    assert_eq!((info.len(), info[0]), (280, 1));
    assert_eq!(u32::from_ne_bytes(info[16..20].try_into().unwrap()), 1000, "tcpi_snd_mss");
    assert_eq!(tool.shim_getsockopt(listener, libc::SOL_TCP, libc::TCP_INFO, 1000).unwrap()[0], 10);
    assert_eq!(tool.shim_getsockopt(fd, libc::SOL_SOCKET, 55, 1000).unwrap().len(), 36, "SO_MEMINFO");
    assert_eq!(tool.shim_getsockopt(fd, libc::SOL_TCP, 26, 1000).unwrap().len(), 0, "TCP_CC_INFO");
    assert_eq!(tool.close(fd), Ok(0));
    assert_eq!(tool.close(fd), Err(EBADF));
    // A socket that is left open is closed with the C library's close.
    assert_eq!(tool.shim_close(listener), Ok(0));
    assert_eq!(tool.listen(listener, 1), Err(EBADF));
    peer.send("< R. 51:51(0) ack 101 win 8000");
    tool.free();
    assert_eq!(tool.socket(libc::AF_INET, libc::SOCK_STREAM, 0), Err(libc::ENODEV));
}

/// A second init begins anew: no connection, no listener, the same first number.
#[test]
fn nothing_survives_an_init() {
    let _one = alone();
    for _ in 0..2 {
        let tool = Arc::new(Tool::init(Some(FLAGS)));
        let (_, _, mut peer) = accepted(&tool);
        peer.send("< P. 1:51(50) ack 1 win 8000");
        let tool = Arc::new(Tool::init(Some(FLAGS)));
        let mut peer = Peer::new(&tool, "192.168.0.1:8080", "192.0.2.1:52000");
        peer.send("< . 1:1(0) ack 1 win 8000");
        peer.expect("> R 1:1(0) win 0");
        // Nothing else comes, and the wait has an end.
        assert_eq!(tool.netdev_receive().unwrap().0, Vec::<u8>::new());
    }
}

/// Without a word about addresses: the one that is bound is ours, in either version.
#[test]
fn the_first_address_bound_is_ours() {
    let _one = alone();
    for (family, here, there) in [
        (libc::AF_INET, "192.168.77.5:8080", "192.0.2.9:1000"),
        (libc::AF_INET6, "[fd3d:a0b:17d6::5]:8080", "[fd3d:fa7b:d17d::1]:1000"),
        (libc::AF_INET6, "192.168.77.6:8080", "192.0.2.9:1000"),
    ] {
        let tool = Arc::new(Tool::init(None));
        let listener = tool.socket(family, libc::SOCK_STREAM, libc::IPPROTO_TCP).unwrap();
        let v6 = family == libc::AF_INET6;
        assert_eq!(tool.bind(listener, &sockaddr_of(here.parse().unwrap(), v6)), Ok(0), "{here}");
        assert_eq!(tool.listen(listener, 1), Ok(0));
        let mut peer = Peer::new(&tool, here, there);
        peer.send("< S 0:0(0) win 8000 <mss 1000>");
        peer.expect("> S. 0:0(0) ack 1 <mss 1460>");
        peer.send("< . 1:1(0) ack 1 win 8000");
        let (_, address) = tool.accept(listener).unwrap();
        assert_eq!(
            address,
            sockaddr_of(there.parse().unwrap(), v6),
            "mapped where the socket is one of IPv6"
        );
    }
}

/// A call on a second thread sleeps, as the kernel sees it; what ends it has ended it when the packet is in; and the clock
/// stands until that thread has looked at it.
#[test]
fn a_blocking_read_sleeps_and_wakes() {
    let _one = alone();
    let tool = Arc::new(Tool::init(Some(FLAGS)));
    let (_, fd, mut peer) = accepted(&tool);
    let (tell, told) = channel();
    let reader = {
        let tool = Arc::clone(&tool);
        std::thread::spawn(move || {
            tell.send(thread_number()).unwrap();
            let got = tool.read(fd, 100).unwrap();
            std::thread::sleep(Duration::from_millis(30));
            (got.len(), tool.now())
        })
    };
    let thread = told.recv().unwrap();
    let limit = Instant::now() + Duration::from_secs(10);
    while thread_state(thread) != 'S' {
        assert!(Instant::now() < limit, "the thread does not sleep");
        std::thread::yield_now();
    }
    let before = tool.now();
    tool.usleep(3_600_000_000);
    assert!(!reader.is_finished());
    let sent = tool.now();
    assert!((3_600_000_000..3_600_000_100).contains(&(sent - before)));
    peer.send("< P. 1:11(10) ack 1 win 8000");
    tool.usleep(1_000_000);
    let (octets, returned) = reader.join().unwrap();
    assert_eq!(octets, 10);
    assert!((0..10).contains(&(returned - sent)), "{returned} {sent}");
}

/// On the main thread nobody could ever end a wait: an error that is told from all others.
#[test]
fn a_wait_without_an_end_is_refused() {
    let _one = alone();
    let tool = Arc::new(Tool::init(Some(FLAGS)));
    let (_, fd, _) = accepted(&tool);
    assert_eq!(tool.read(fd, 100), Err(EDEADLK));
}

/// If the main thread waits for the call itself, the call lets time pass.
#[test]
fn a_call_that_is_waited_for_ends() {
    let _one = alone();
    let tool = Arc::new(Tool::init(Some(FLAGS)));
    let (_, fd, _) = accepted(&tool);
    let time = [0_i64.to_ne_bytes(), 300_000_i64.to_ne_bytes()].concat();
    assert_eq!(tool.setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &time), Ok(0));
    let before = tool.now();
    let other = Arc::clone(&tool);
    let (got, at) = std::thread::spawn(move || (other.read(fd, 100), other.now())).join().unwrap();
    assert_eq!(got, Err(EAGAIN));
    assert!((at - before - 300_000).abs() < 100, "{}", at - before);
}

/// Days pass in no time; packets carry the time at which they left, not that at which they are fetched.
#[test]
fn packets_are_stamped_when_they_leave() {
    let _one = alone();
    let tool = Arc::new(Tool::init(Some(FLAGS)));
    let fd = tool.socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0).unwrap();
    let there = sockaddr_of("192.0.2.1:8080".parse().unwrap(), false);
    let begun = tool.now();
    assert_eq!(tool.connect(fd, &there), Err(libc::EINPROGRESS));
    tool.usleep(2_500_000);
    let mut times = Vec::new();
    for _ in 0..2 {
        let (packet, time) = tool.netdev_receive().unwrap();
        assert!(look(&packet).unwrap().flags.has(Flags::SYN));
        times.push(time - begun);
    }
    // RFC 6298 2: the first timeout is one second; timers count milliseconds.
    assert!(times[0] < 100 && (times[1] - times[0] - 1_000_000).abs() < 2_000, "{times:?}");
}

/// The original looks at the clock many times before it injects a packet: the stack measures the delay that was meant.
#[test]
fn looks_at_the_clock_cost_nothing() {
    let _one = alone();
    let tool = Arc::new(Tool::init(Some(FLAGS)));
    let listener = tool.socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP).unwrap();
    assert_eq!(tool.bind(listener, &sockaddr_of("192.168.0.1:8080".parse().unwrap(), false)), Ok(0));
    assert_eq!(tool.listen(listener, 1), Ok(0));
    let mut peer = Peer::new(&tool, "192.168.0.1:8080", "192.0.2.1:52000");
    // At once: three looks.
    tool.now();
    tool.now();
    tool.now();
    peer.send("< S 0:0(0) win 8000 <mss 1000>");
    tool.now();
    peer.expect("> S. 0:0(0) ack 1 <mss 1460>");
    // After 100 ms: asleep until shortly before, then looking.
    let event = tool.now() + 100_000;
    tool.usleep((event - tool.now() - 20) as u32);
    while tool.now() < event {}
    tool.now();
    peer.send("< . 1:1(0) ack 1 win 8000");
    let (fd, _) = tool.accept(listener).unwrap();
    let info = tool.shim_getsockopt(fd, libc::SOL_TCP, libc::TCP_INFO, 280).unwrap();
    assert_eq!(u32::from_ne_bytes(info[68..72].try_into().unwrap()), 100_000, "tcpi_rtt");
}

/// Several segments for one line: the second carries PSH, alone it would not.
#[test]
fn pieces_of_one_packet_are_pushed() {
    let _one = alone();
    let tool = Arc::new(Tool::init(Some(FLAGS)));
    let (_, fd, mut peer) = accepted(&tool);
    assert_eq!(tool.send(fd, &synfin_script::call::octets(0, 20_000), libc::MSG_DONTWAIT), Ok(20_000));
    tool.now();
    peer.expect("> . 1:1001(1000) ack 1");
    tool.now();
    peer.expect("> P. 1001:3001(2000) ack 1");
    tool.now();
    peer.expect("> . 3001:4001(1000) ack 1");
}

#[test]
fn arguments_that_cannot_be_meant() {
    let _one = alone();
    let tool = Arc::new(Tool::init(Some(FLAGS)));
    assert_eq!(tool.socket(libc::AF_UNIX, libc::SOCK_STREAM, 0), Err(libc::EAFNOSUPPORT));
    assert_eq!(tool.socket(libc::AF_INET, libc::SOCK_DGRAM, 0), Err(libc::EPROTONOSUPPORT));
    let (_, fd, mut peer) = accepted(&tool);
    assert_eq!(tool.write_null(fd, 10), Err(EFAULT));
    assert_eq!(tool.write_null(-1, 10), Err(EBADF));
    assert_eq!(tool.bind(fd, &[2, 0, 1]), Err(EINVAL));
    assert_eq!(tool.setsockopt(fd, libc::SOL_TCP, 9999, &[0; 4]), Err(ENOPROTOOPT));
    assert_eq!(tool.setsockopt(fd, libc::SOL_TCP, libc::TCP_NODELAY, &[1]), Err(EINVAL));
    assert_eq!(tool.setsockopt(fd, libc::SOL_TCP, libc::TCP_NODELAY, &[]), Err(EINVAL));
    assert_eq!(tool.getsockopt(fd, libc::SOL_TCP, 9999, 4), Err(ENOPROTOOPT));
    assert_eq!(tool.epoll_create(0), Err(EINVAL));
    // Splice knows no places; 0 means none.
    let ends = tool.pipe().unwrap();
    peer.send("< P. 1:11(10) ack 1 win 8000");
    assert_eq!(tool.splice(fd, ends[1], 10, 0), Ok(10));
    assert_eq!(tool.read(ends[0], 99).unwrap(), synfin_script::call::octets(0, 10));
}

/// Options have the forms that C gives them.
#[test]
fn options_there_and_back() {
    let _one = alone();
    let tool = Arc::new(Tool::init(Some(FLAGS)));
    let fd = tool.socket(libc::AF_INET, libc::SOCK_STREAM, 0).unwrap();
    let one = 1_i32.to_ne_bytes();
    assert_eq!(tool.setsockopt(fd, libc::SOL_TCP, libc::TCP_NODELAY, &one), Ok(0));
    assert_eq!(tool.getsockopt(fd, libc::SOL_TCP, libc::TCP_NODELAY, 4).unwrap(), one);
    assert_eq!(tool.getsockopt(fd, libc::SOL_TCP, libc::TCP_NODELAY, 2).unwrap().len(), 2, "cut to the room");
    let linger = [1_i32.to_ne_bytes(), 5_i32.to_ne_bytes()].concat();
    assert_eq!(tool.setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, &linger), Ok(0));
    assert_eq!(tool.getsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, 64).unwrap(), linger);
    let name = tool.getsockopt(fd, libc::SOL_TCP, libc::TCP_CONGESTION, 64).unwrap();
    assert_eq!(name.len(), 16);
    assert_eq!(tool.fcntl(fd, libc::F_SETFL, libc::O_RDWR | libc::O_NONBLOCK), Ok(0));
    assert_eq!(tool.fcntl(fd, libc::F_GETFL, 0).unwrap() & 0o4000, 0o4000);
}

/// An error of ICMP reaches the program under its name.
#[test]
fn a_refused_connection() {
    let _one = alone();
    let tool = Arc::new(Tool::init(Some(FLAGS)));
    let fd = tool.socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0).unwrap();
    let there = sockaddr_of("192.0.2.1:8080".parse().unwrap(), false);
    assert_eq!(tool.connect(fd, &there), Err(libc::EINPROGRESS));
    let (packet, _) = tool.netdev_receive().unwrap();
    let mut flow = Flow::new(look(&packet).unwrap().tuple);
    flow.expect(&line("> S 0:0(0) <...>"), &[packet]).unwrap();
    let refusal = flow.inject(&line("< icmp unreachable port_unreachable [0:0(0)]")).unwrap();
    assert_eq!(tool.netdev_send(&refusal), Ok(0));
    let error = tool.getsockopt(fd, libc::SOL_SOCKET, libc::SO_ERROR, 4).unwrap();
    assert_eq!(i32::from_ne_bytes(error.try_into().unwrap()), ECONNREFUSED);
}

/// TCP_INQ comes as a control message, and events of epoll with what was left for them.
#[test]
fn what_comes_beside_the_octets() {
    let _one = alone();
    let tool = Arc::new(Tool::init(Some(FLAGS)));
    let (_, fd, mut peer) = accepted(&tool);
    let set = tool.epoll_create(1).unwrap();
    assert_eq!(tool.epoll_ctl(set, libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN as u32, 0xabcd_0123_4567), Ok(0));
    assert_eq!(tool.epoll_wait(set, 8, 0), Ok(vec![]));
    peer.send("< P. 1:31(30) ack 1 win 8000");
    assert_eq!(tool.epoll_wait(set, 8, 0), Ok(vec![(libc::EPOLLIN as u32, 0xabcd_0123_4567)]));
    assert_eq!(tool.setsockopt(fd, libc::SOL_TCP, 36, &1_i32.to_ne_bytes()), Ok(0));
    let (octets, _, control) = tool.recvmsg(fd, &[10], 0).unwrap();
    let numbers: Vec<i32> =
        control[8..20].chunks(4).map(|c| i32::from_ne_bytes(c.try_into().unwrap())).collect();
    assert_eq!((octets.len(), control.len(), numbers), (10, 24, vec![libc::SOL_TCP, 36, 20]));
}

/// A file goes out through the function that is preloaded.
#[test]
fn a_file_is_sent() {
    let _one = alone();
    let tool = Arc::new(Tool::init(Some(FLAGS)));
    let (_, fd, mut peer) = accepted(&tool);
    let path = std::env::temp_dir().join(format!("synfin-sendfile-{}", std::process::id()));
    let mut source = std::fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    source.write_all(b"xxx").unwrap();
    source.write_all(&synfin_script::call::octets(0, 500)).unwrap();
    source.seek(SeekFrom::Start(0)).unwrap();
    let mut offset = 3;
    assert_eq!(tool.shim_sendfile(fd, source.as_raw_fd(), &mut offset, 10_000), Ok(500));
    assert_eq!(offset, 503);
    peer.expect("> P. 1:501(500) ack 1");
}

/// The real clock: timers keep their times, and a packet is stamped with the time of its timer.
#[test]
fn by_a_real_clock() {
    let _one = alone();
    let tool = Arc::new(Tool::init(Some(&format!("{FLAGS},clock=real,wait=1"))));
    let (_, fd, mut peer) = accepted(&tool);
    let (begun, real) = (tool.now(), Instant::now());
    assert_eq!(tool.write(fd, &synfin_script::call::octets(0, 10)), Ok(10));
    peer.expect("> P. 1:11(10) ack 1");
    tool.usleep(1_300_000);
    assert!(real.elapsed() >= Duration::from_millis(1300));
    // The first retransmission has gone out while nobody looked.
    let at = peer.expect("> P. 1:11(10) ack 1") - begun;
    assert!((150_000..1_250_000).contains(&at), "{at}");
    peer.send("< . 1:1(0) ack 11 win 8000");
    let time = [0_i64.to_ne_bytes(), 100_000_i64.to_ne_bytes()].concat();
    assert_eq!(tool.setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &time), Ok(0));
    let other = Arc::clone(&tool);
    let waited = Instant::now();
    assert_eq!(std::thread::spawn(move || other.read(fd, 10)).join().unwrap(), Err(EAGAIN));
    assert!((100..2_000).contains(&waited.elapsed().as_millis()));
}

/// With LD_PRELOAD, the C library's own functions reach our sockets, leave other descriptors alone, and programs that are
/// started later do not inherit it.
#[test]
fn preloaded() {
    const MARK: &str = "SYNFIN_TEST_PRELOADED";
    if std::env::var(MARK).is_ok() {
        inside();
        return;
    }
    let _one = alone();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "preloaded", "--nocapture"])
        .env("LD_PRELOAD", file())
        .env(MARK, "1")
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("inside, and well"), "{text}");
}

fn inside() {
    assert!(std::env::var("LD_PRELOAD").is_ok());
    let tool = Arc::new(Tool::init(Some(FLAGS)));
    assert!(std::env::var("LD_PRELOAD").is_err());
    let (listener, fd, _) = accepted(&tool);
    let (mut info, mut len) = ([0_u8; 512], 512_u32);
    // SAFETY: `info` has as many octets as `len` says.
    let got = unsafe {
        libc::getsockopt(fd as i32, libc::SOL_TCP, libc::TCP_INFO, info.as_mut_ptr().cast(), &raw mut len)
    };
    assert_eq!((got, len, info[0]), (0, 280, 1));
    // A descriptor of the system is the system's.
    let real = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut kind, mut len) = (0_i32, 4_u32);
    let (at, len_at) = ((&raw mut kind).cast(), &raw mut len);
    // SAFETY: `kind` is an int, as `len` says.
    let got =
        unsafe { libc::getsockopt(real.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ACCEPTCONN, at, len_at) };
    assert_eq!((got, kind), (0, 1));
    // SAFETY: the listener is closed once.
    assert_eq!(unsafe { libc::close(listener as i32) }, 0);
    assert_eq!(tool.listen(listener, 1), Err(EBADF));
    drop(real);
    // SAFETY: no descriptor has this number.
    assert_eq!(unsafe { libc::close(-1) }, -1);
    println!("inside, and well");
}
