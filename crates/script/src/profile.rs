//! Which host the stack plays: settings, and a few habits of its sockets.

use synfin_tcp::Config;

/// Smallest, initial and largest size of a buffer, in octets.
pub type Sizes = [u32; 3];

/// When a send buffer has room.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum SendRoom {
    /// As long as fewer octets than its size are in it.
    Octets,
    /// A chunk of up to half the peer's largest window is taken whole as long as what is there, with overhead, is below
    /// its size (Linux).
    Chunks,
}

/// Settings of the stack and of the socket layer above it.
#[derive(Clone, Debug)]
pub struct Profile {
    /// `linux` or `rfc`.
    pub name: &'static str,
    /// Settings of connections.
    pub tcp: Config,
    /// Receive buffers: the largest decides the window scale.
    pub recv_sizes: Sizes,
    /// Send buffers: the initial one is the limit.
    pub send_sizes: Sizes,
    /// Completed connections that a listener keeps beyond its backlog.
    pub backlog_extra: u32,
    /// setsockopt of a buffer size sets this many times the value.
    pub buffer_factor: u32,
    /// When a send buffer has room.
    pub send_room: SendRoom,
    /// Octets that may wait unsent in a send buffer (TCP_NOTSENT_LOWAT of sockets that do not set it).
    pub notsent_lowat: u32,
    /// The name of the congestion control that sockets begin with.
    pub congestion: &'static str,
    /// Whether a full queue of half-open records is answered with SYN cookies.
    pub cookies: bool,
    /// What is recognised and not modelled: told with the outcome.
    pub notes: Vec<String>,
}

impl Profile {
    /// What Linux does where a peer or a program can see it: the defaults of a freshly started system.
    pub fn linux() -> Profile {
        let mut profile = Profile {
            name: "linux",
            tcp: Config::linux(),
            recv_sizes: [4096, 131_072, 6 << 20],
            send_sizes: [4096, 87_040, 4 << 20],
            backlog_extra: 1,
            buffer_factor: 2,
            send_room: SendRoom::Chunks,
            notsent_lowat: u32::MAX,
            congestion: "cubic",
            cookies: true,
            notes: Vec::new(),
        };
        profile.apply_sizes();
        profile
    }

    /// What the RFCs recommend: the stack as it is.
    pub fn rfc() -> Profile {
        let tcp = Config::default();
        Profile {
            name: "rfc",
            recv_sizes: [4096, tcp.recv_buffer, tcp.recv_buffer],
            send_sizes: [4096, tcp.send_buffer, tcp.send_buffer],
            backlog_extra: 0,
            buffer_factor: 1,
            send_room: SendRoom::Octets,
            notsent_lowat: u32::MAX,
            congestion: "reno",
            cookies: true,
            notes: Vec::new(),
            tcp,
        }
    }

    /// By name.
    pub fn named(name: &str) -> Option<Profile> {
        match name {
            "linux" => Some(Profile::linux()),
            "rfc" => Some(Profile::rfc()),
            _ => None,
        }
    }

    /// Buffer sizes into the settings of connections.
    pub(crate) fn apply_sizes(&mut self) {
        self.tcp.recv_buffer = self.recv_sizes[1].max(1);
        self.tcp.recv_buffer_max = self.recv_sizes[2];
        self.tcp.send_buffer = self.send_sizes[1].max(1);
    }
}
