//! The catalogue of words: every sentence that the ladder can say, in English and Chinese, full and short.
//!
//! Names of flags and states keep the spelling of the RFCs in both languages. Short forms fit the 39 columns beside
//! a ladder of 120 columns, as long as the numbers in them are of ordinary size. Placeholders in braces:
//! `{n}` count of octets, `{s}` the English plural of it, `{range}` their numbers, `{quote}` a colon and the text if it can be quoted, `{seq}` and `{ack}` the segment's
//! own numbers, `{before}` the number before `{ack}`, `{text}` a quotation of the text, `{who}` sender, `{peer}`
//! receiver, `{win}` window, `{t}` a span of time.

use alloc::string::String;

use crate::model::Lang;

macro_rules! words {
    ($($name:ident $key:literal
        $en:literal
        $en_short:literal
        $zh:literal
        $zh_short:literal)*) => {
        /// One entry of the catalogue.
        #[derive(Copy, Clone, PartialEq, Eq, Debug, Hash)]
        #[non_exhaustive]
        pub enum Word { $(#[doc = $en] $name,)* }

        impl Word {
            /// Every entry.
            pub const ALL: &'static [Word] = &[$(Word::$name,)*];

            /// The stable key, for example `seg.syn`.
            pub const fn key(self) -> &'static str {
                match self { $(Word::$name => $key,)* }
            }

            /// The sentence with its placeholders.
            pub const fn template(self, lang: Lang, form: Form) -> &'static str {
                match (self, lang, form) {
                    $((Word::$name, Lang::En, Form::Full) => $en,
                      (Word::$name, Lang::En, Form::Short) => $en_short,
                      (Word::$name, Lang::Zh, Form::Full) => $zh,
                      (Word::$name, Lang::Zh, Form::Short) => $zh_short,)*
                }
            }
        }
    };
}

/// The length of a sentence.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Form {
    /// With explanation.
    Full,
    /// One line of a narrow column.
    Short,
}

words! {
    // Opening.
    Syn "seg.syn"
        r#""I want to talk; my bytes are numbered from {seq}.""#
        r#""I want to talk; I number from {seq}.""#
        "“我要通话，我的字节从 {seq} 号编起。”"
        "“我要通话，字节从 {seq} 号编起。”"
    SynAgain "seg.syn.again"
        "sent again, because no answer came"
        "sent again: no answer came"
        "重发：没有等到回答"
        "重发：没有等到回答"
    SynSimul "seg.syn.simul"
        r#""I want to talk too." (Both SYNs cross: simultaneous open, one connection.)"#
        r#""I want to talk too." (SYNs cross)"#
        "“我也要通话。”（两个 SYN 相遇：同时打开，只有一个连接。）"
        "“我也要通话。”（两个 SYN 相遇）"
    SynNewLife "seg.syn.newlife"
        r#""I want to talk again." A new connection on the same ports: numbering starts anew."#
        r#""A new talk": same ports, from 0"#
        "“我要再通话。”同样的端口、新的连接：编号从头开始。"
        "“再通话。”端口同，编号从头"
    SynOnOpen "seg.syn.on_open"
        "a SYN on a connection that is open: an old copy, or a peer that forgot (RFC 5961)"
        "a SYN on an open connection"
        "连接已打开又来 SYN：旧报文，或对端失忆（RFC 5961）"
        "连接已打开，又来 SYN"
    SynAck "seg.synack"
        r#""Heard you. My bytes are numbered from {seq} too.""#
        r#""Heard you. I number from {seq} too.""#
        "“听到了。我的字节也从 {seq} 号编起。”"
        "“听到了。我的字节也从 {seq} 号编起。”"
    SynAckAgain "seg.synack.again"
        "sent again, because no ACK came"
        "sent again: no ACK came"
        "重发：没有等到 ACK"
        "重发：没有等到 ACK"
    SynAckAnswer "seg.synack.answer"
        "sent again, because the SYN came again"
        "sent again: the SYN came again"
        "重发：SYN 又来了一次"
        "重发：SYN 又来了一次"
    SynAckSimul "seg.synack.simul"
        r#""Heard your SYN; mine is on its way to you." (simultaneous open)"#
        r#""Heard your SYN; mine is on its way.""#
        "“听到你的 SYN，我的也在路上。”（同时打开）"
        "“听到你的 SYN，我的也在路上。”"
    Ack3 "seg.ack3"
        r#""Heard you too." Now both are sure."#
        r#""Heard you too." Now both are sure."#
        "“我也听到你了。”此刻双方都确信。"
        "“我也听到你了。”此刻双方都确信。"
    Ack3Cured "seg.ack3.cured"
        r#""Heard you too." Both are sure now. The loss cost {t}."#
        r#""Heard you too." Both are sure now."#
        "“我也听到你了。”双方都确信。这次丢失耽误了 {t}。"
        "“我也听到你了。”双方都确信。"
    Ack3Again "seg.ack3.again"
        r#""Yes, I heard you." (A repeated SYN,ACK is answered again.)"#
        r#""Yes, I heard you.""#
        "“是的，我听到了。”（SYN,ACK 重来，就再答一次。）"
        "“是的，我听到了。”"

    // Talking.
    Data "seg.data"
        "{n} octet{s}, {range}"
        "{n} octet{s}, {range}"
        "{n} 字节，{range}"
        "{n} 字节，{range}"
    DataText "seg.data.text"
        "{n} octet{s}, {range}{quote}"
        "{n} octet{s}: {text}"
        "{n} 字节，{range}{quote}"
        "{n} 字节：{text}"
    DataAck3 "seg.data.ack3"
        "{n} octet{s}, {range}{quote}; the ACK that comes with it completes the opening"
        "{n} octet{s}; its ACK completes it"
        "{n} 字节，{range}{quote}；带来的 ACK 完成了握手"
        "{n} 字节；带的 ACK 完成了握手"
    DataHalf "seg.data.half"
        "{n} octet{s}, {range}{quote} (half-closed: {peer} is done, and still listens)"
        "{n} octet{s} more; the {peer} listens"
        "{n} 字节，{range}{quote}（半关闭：{peer}已发完，还在收）"
        "{n} 字节；{peer}发完了，但还在收"
    DataAckFin "seg.data.ackfin"
        r#""Got your FIN", and {n} octet{s} more, {range}{quote} (half-closed)"#
        r#""Got your FIN", and {n} octet{s} more"#
        "“收到你的 FIN。”再发 {n} 字节，{range}{quote}（半关闭）"
        "“收到你的 FIN。”再发 {n} 字节"
    DataUrgent "seg.data.urgent"
        "{n} octet{s}, {range}, marked urgent (URG)"
        "{n} octet{s}, urgent (URG)"
        "{n} 字节，{range}，标为紧急（URG）"
        "{n} 字节，标为紧急（URG）"
    Ack "seg.ack"
        r#""Got everything up to number {before}; {ack} is next.""#
        r#""Got all up to {before}.""#
        "“{before} 号及以前都收到了，下一个要 {ack} 号。”"
        "“{before} 号及以前都收到了。”"
    AckPlain "seg.ack.plain"
        r#""I am here, and number {ack} is next.""#
        r#""I am here; {ack} is next.""#
        "“我在，下一个要 {ack} 号。”"
        "“我在，下一个要 {ack} 号。”"
    AckDup "seg.ack.dup"
        r#""I still wait for number {ack}." (duplicate ACK)"#
        r#""I still wait for number {ack}.""#
        "“我还在等 {ack} 号。”（重复 ACK）"
        "“我还在等 {ack} 号。”"
    AckOld "seg.ack.old"
        r#""I already have that; number {ack} is next.""#
        r#""I have that; {ack} is next.""#
        "“那些我已经有了，下一个要 {ack} 号。”"
        "“已经有了，下一个要 {ack} 号。”"
    WindowUpdate "seg.window"
        r#""I have room for {win} octets now." (window update)"#
        r#""Room for {win} octets now.""#
        "“我现在能收 {win} 字节。”（窗口更新）"
        "“我现在能收 {win} 字节。”"
    WindowClosed "seg.window.closed"
        r#""Got all up to {before}, but my buffer is full: stop." (window 0)"#
        r#""Full: stop." (window 0)"#
        "“{before} 号及以前都收到了，但我满了：停。”（窗口 0）"
        "“我满了：停。”（窗口 0）"
    WindowOpen "seg.window.open"
        r#""I have room again: {win} octets." (the window opens)"#
        r#""Room again: {win} octets.""#
        "“又有空了：{win} 字节。”（窗口重新打开）"
        "“又有空了：{win} 字节。”"
    Probe "seg.probe"
        r#""May I send again?" (window probe)"#
        r#""May I send again?""#
        "“可以再发了吗？”（窗口探测）"
        "“可以再发了吗？”"
    ProbeFull "seg.probe.full"
        r#""Not yet, I am still full." (window 0)"#
        r#""Not yet, still full." (window 0)"#
        "“还不行，我还是满的。”（窗口 0）"
        "“还不行，还是满的。”（窗口 0）"
    KeepAlive "seg.keepalive"
        r#""Still there?" (keepalive)"#
        r#""Still there?""#
        "“还在吗？”（保活）"
        "“还在吗？”"
    KeepAliveAnswer "seg.keepalive.answer"
        r#""Still here.""#
        r#""Still here.""#
        "“还在。”"
        "“还在。”"
    Challenge "seg.challenge"
        r#""That number looks wrong; here is what I expect." (RFC 5961)"#
        r#""Wrong number; I expect {ack}.""#
        "“这个号不对，我等的是这个号。”（RFC 5961）"
        "“这个号不对，我等的是 {ack} 号。”"

    // Again.
    Again "seg.again"
        "{range}: sent again"
        "sent again: {range}"
        "{range}：重发"
        "重发：{range}"
    AgainTimer "seg.again.timer"
        "{range}: sent again, because no ACK came in time"
        "sent again: no ACK in time"
        "{range}：重发，因为没有按时等到 ACK"
        "重发：没有按时等到 ACK"
    AgainFast "seg.again.fast"
        "{range}: sent again at once, because the ACKs tell of a hole"
        "sent again: the ACKs tell of a hole"
        "{range}：立即重发，因为 ACK 表明有缺口"
        "立即重发：ACK 表明有缺口"
    AgainProbe "seg.again.probe"
        "{range}: sent again early, to call for an ACK (tail loss probe)"
        "sent again early, to call for an ACK"
        "{range}：提前重发，催一个 ACK（尾部丢失探测）"
        "提前重发，催一个 ACK"
    AgainSpurious "seg.again.spurious"
        "{range}: sent again needlessly; the first copy had arrived"
        "sent again needlessly"
        "{range}：多余的重发；第一份已经到了"
        "多余的重发"
    FinAgain "seg.fin.again"
        "sent again, because no ACK of the FIN came"
        "sent again: no ACK of the FIN"
        "重发：没有等到对 FIN 的 ACK"
        "重发：没有等到对 FIN 的 ACK"
    Duplicate "seg.duplicate"
        "a second copy that the network made; TCP ignores it"
        "a second copy made by the network"
        "网络多复制的一份；TCP 不理它"
        "网络多复制的一份"
    LateOriginal "seg.late"
        "the first copy: late, not lost; a later segment overtook it"
        "the first copy: late, not lost"
        "原来那份：迟到，没丢；被后面的超过了"
        "原来那份：迟到，没丢"
    Forged "seg.forged"
        "{who} did not send this: it is forged"
        "the {who} did not send this"
        "{who}没有发这个：是伪造的"
        "{who}没有发这个：伪造"
    Stale "seg.stale"
        "left over from an older connection on the same ports"
        "left over from an older connection"
        "同一对端口上旧连接留下的报文"
        "旧连接留下的报文"
    Stray "seg.stray"
        "numbers far from where this connection is: old, or not from this peer"
        "numbers from elsewhere: old or forged"
        "号码离这个连接很远：旧报文，或不是对端发的"
        "号码很远：旧报文或伪造"

    // Closing.
    Fin "seg.fin"
        r#""I have nothing more to send." (I still listen.)"#
        r#""I have nothing more to send.""#
        "“我没有要发的了。”（还能收。）"
        "“我没有要发的了。”（还能收。）"
    FinData "seg.fin.data"
        r#"{n} octet{s}, {range}{quote}, and: "I have nothing more to send.""#
        r#"{n} octet{s}, and "no more to send.""#
        "{n} 字节，{range}{quote}，然后：“我没有要发的了。”"
        "{n} 字节，“没有要发的了。”"
    FinSecond "seg.fin.second"
        r#""I have nothing more to send either.""#
        r#""Nothing more to send here either.""#
        "“我也没有要发的了。”"
        "“我也没有要发的了。”"
    FinAck "seg.fin_ack"
        r#""Got your FIN, and I am done too." (2 in 1: three-segment close)"#
        r#""Got your FIN; I am done too." (2 in 1)"#
        "“收到你的 FIN，我也发完了。”（二合一：三次挥手）"
        "“收到 FIN，我也发完了。”（二合一）"
    FinSimul "seg.fin.simul"
        r#""I am done." (Both FINs cross: simultaneous close.)"#
        r#""I am done as well." (FINs cross)"#
        "“我发完了。”（两个 FIN 相遇：同时关闭。）"
        "“我发完了。”（两个 FIN 相遇）"
    AckFin "seg.ack_fin"
        r#""Got your FIN, number {before}: ack={ack}." I may still send."#
        r#""Got your FIN." I may still send."#
        "“收到你的 FIN（{before} 号），所以 ack={ack}。”我还可以发。"
        "“收到你的 FIN。”我还可以发。"
    AckFinSimul "seg.ack_fin.simul"
        r#""Got your FIN too." My own is not acknowledged yet."#
        r#""Got your FIN too.""#
        "“也收到你的 FIN。”我的 FIN 还没有得到确认。"
        "“也收到你的 FIN。”"
    AckFinAgain "seg.ack_fin.again"
        r#""Yes, I got your FIN." (a repeated FIN is answered again)"#
        r#""Yes, I got your FIN.""#
        "“是的，收到你的 FIN 了。”（FIN 重来，就再答一次）"
        "“是的，收到你的 FIN 了。”"
    LastAck "seg.lastack"
        r#""Got your FIN." I wait 2 MSL in case you did not hear this."#
        r#""Got your FIN." I wait 2 MSL."#
        "“收到你的 FIN。”我等 2 MSL，防你没听见。"
        "“收到你的 FIN。”我等 2 MSL。"
    LastAckAgain "seg.lastack.again"
        r#""Yes, I got your FIN." This is what TIME_WAIT is for; the 2 MSL start again."#
        r#""Yes, I got it." 2 MSL start again."#
        "“是的，收到你的 FIN 了。”TIME_WAIT 正是为此；2 MSL 重新计时。"
        "“收到了。”2 MSL 重新计时。"

    // Resets.
    RstRefused "seg.rst.refused"
        r#""Nobody listens here." (connection refused)"#
        r#""Nobody listens here." (refused)"#
        "“这里没人在听。”（连接被拒绝）"
        "“这里没人在听。”（拒绝）"
    RstNoSocket "seg.rst.nosock"
        r#""There is no such connection here.""#
        r#""There is no such connection here.""#
        "“这里没有这个连接。”"
        "“这里没有这个连接。”"
    RstAbort "seg.rst.abort"
        r#""I give this connection up, now.""#
        r#""I give this connection up, now.""#
        "“我现在就放弃这个连接。”"
        "“我现在就放弃这个连接。”"
    RstInexact "seg.rst.inexact"
        "an RST whose number is not exactly the next one: refused (RFC 5961)"
        "an RST with a wrong number: refused"
        "RST 的号不是正好下一个：不予理会（RFC 5961）"
        "RST 的号不对：不予理会"
    RstStale "seg.rst.stale"
        r#""I did not ask for this." An old SYN opens no connection: that is why there are three segments."#
        r#""I did not ask for this.""#
        "“我没有要过这个。”旧 SYN 打不开连接：这就是要三次的原因。"
        "“我没有要过这个。”"

    // Odd.
    OddSynFin "seg.odd.synfin"
        "SYN with FIN: no TCP sends this"
        "SYN with FIN: nonsense"
        "SYN 带 FIN：没有 TCP 会这样发"
        "SYN 带 FIN：不合理"
    OddNoAck "seg.odd.noack"
        "no SYN, no RST and no ACK: not a usable segment"
        "without ACK: not usable"
        "没有 SYN、RST、ACK：不可用的报文"
        "没有 ACK：不可用"

    // Lost.
    LostSyn "lost.syn"
        "lost on the wire; {peer} knows of nothing, nobody holds anything"
        "lost; the {peer} knows of nothing"
        "在线路上丢了：{peer}一无所知，谁也没占资源"
        "在线路上丢了：{peer}一无所知"
    LostSynAck "lost.synack"
        "lost on the wire; {who} waits half-open, and will send it again"
        "lost; the {who} waits half-open"
        "在线路上丢了：{who}半开着等，会重发"
        "在线路上丢了：{who}半开着等"
    LostAck3 "lost.ack3"
        "lost on the wire; only {who} believes it is open"
        "lost; open only for the {who}"
        "在线路上丢了：只有{who}以为已连接"
        "在线路上丢了：只有{who}以为已连接"
    LostData "lost.data"
        "lost on the wire; {range} must be sent again"
        "lost; must be sent again"
        "在线路上丢了：{range}要重发"
        "在线路上丢了：要重发"
    LostAck "lost.ack"
        "lost on the wire; the next ACK says the same and more"
        "lost; the next ACK covers it"
        "在线路上丢了：下一个 ACK 会说得更全"
        "在线路上丢了：下一个 ACK 会补上"
    LostFin "lost.fin"
        "lost on the wire; a FIN has a number, so it is sent again"
        "lost; will be sent again"
        "在线路上丢了：FIN 也占一个号，所以会重发"
        "在线路上丢了：会重发"
    LostAckFin "lost.ack_fin"
        "lost on the wire; the FIN will come again"
        "lost; the FIN will come again"
        "在线路上丢了：FIN 会再来"
        "在线路上丢了：FIN 会再来"
    LostLastAck "lost.lastack"
        "lost on the wire; {peer} will repeat its FIN, and TIME_WAIT will answer"
        "lost; TIME_WAIT will answer again"
        "在线路上丢了：{peer}会重发 FIN，TIME_WAIT 会再答"
        "在线路上丢了：TIME_WAIT 会再答"
    LostRst "lost.rst"
        "lost on the wire; {peer} still believes in the connection"
        "lost; the {peer} knows nothing of it"
        "在线路上丢了：{peer}还以为连接在"
        "在线路上丢了：{peer}还以为连接在"

    // Silence.
    TimerSyn "timer.syn"
        "SYN timer"
        "SYN timer"
        "SYN 定时器"
        "SYN 定时器"
    TimerSynAck "timer.synack"
        "SYN,ACK timer"
        "SYN,ACK timer"
        "SYN,ACK 定时器"
        "SYN,ACK 定时器"
    TimerRetransmission "timer.rto"
        "retransmission timer"
        "RTO timer"
        "重传定时器"
        "重传定时器"
    TimerPersist "timer.persist"
        "persist timer"
        "persist timer"
        "坚持定时器"
        "坚持定时器"
    TimerKeepAlive "timer.keepalive"
        "keepalive timer"
        "keepalive timer"
        "保活定时器"
        "保活定时器"
    TimerTimeWait "timer.timewait"
        "2 MSL timer"
        "2 MSL timer"
        "2 MSL 定时器"
        "2 MSL 定时器"
    TimerFinWait2 "timer.finwait2"
        "FIN_WAIT_2 timer"
        "FIN_WAIT_2 timer"
        "FIN_WAIT_2 定时器"
        "FIN_WAIT_2 定时器"
    TimerProgram "timer.program"
        "{who}'s program"
        "{who}'s program"
        "{who}程序"
        "{who}程序"
    TimerIdle "timer.idle"
        "idle"
        "idle"
        "空闲"
        "空闲"
    Silence "silence"
        "silence {t}"
        "silence {t}"
        "静默 {t}"
        "静默 {t}"
    FoldData "fold.data"
        "{n} segment{s}, {bytes} B, no loss"
        "{n} segment{s}, {bytes} B"
        "{n} 个段，{bytes} B，无丢失"
        "{n} 个段，{bytes} B"
    FoldAcks "fold.acks"
        "{n} ACK{s}, no loss"
        "{n} ACK{s}"
        "{n} 个 ACK，无丢失"
        "{n} 个 ACK"

    // States that no segment brings about.
    StTimeWaitEnd "state.timewait.end"
        "2 MSL are over: old segments are dead, the ports are free."
        "2 MSL are over; the ports are free."
        "2 MSL 已过：旧报文都已消失，端口可以再用。"
        "2 MSL 已过，端口可以再用。"
    StFinWait2End "state.finwait2.end"
        "No FIN came, and no program waits for it any more: forgotten."
        "No FIN came: forgotten."
        "FIN 没有来，也没有程序在等：不再记着。"
        "FIN 没有来：不再记着。"
    StSynSentEnd "state.synsent.end"
        "Gave up: nobody answered the SYN."
        "Gave up: no answer."
        "放弃：没有人回答 SYN。"
        "放弃：没有回答。"
    StSynRcvdEnd "state.synrcvd.end"
        "Gave up: the ACK never came, the half-open record is released."
        "Gave up: the half-open is released."
        "放弃：ACK 一直没来，半开记录已释放。"
        "放弃：半开记录已释放。"
    StGone "state.gone"
        "Gave up: the connection is gone without another word."
        "Gave up: gone without a word."
        "放弃：连接不声不响地没了。"
        "放弃：连接没了。"
    StProgramClosed "state.closing"
        "The program closes; the FIN waits behind text that is still to be sent."
        "The program closes; FIN must wait."
        "程序关闭了；FIN 排在还没发出的数据后面。"
        "程序关闭了；FIN 要等一下。"

    // Small parts.
    RangeOne "range.one"
        "number {seq}"
        "number {seq}"
        "第 {seq} 号"
        "第 {seq} 号"
    RangeMany "range.many"
        "numbers {seq} to {before}"
        "{seq} to {before}"
        "第 {seq} 到 {before} 号"
        "第 {seq} 到 {before} 号"
    RoleClient "role.client"
        "the client"
        "client"
        "客户端"
        "客户端"
    RoleServer "role.server"
        "the server"
        "server"
        "服务器"
        "服务器"
    RoleA "role.a"
        "peer A"
        "peer A"
        "甲方"
        "甲方"
    RoleB "role.b"
        "peer B"
        "peer B"
        "乙方"
        "乙方"
}

/// Puts values into a template's placeholders; one that has no value stays as it is.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len().saturating_add(16));
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, after)) = tail.split_once('}') else {
            out.push('{');
            rest = tail;
            continue;
        };
        match values.iter().find(|(key, _)| *key == name) {
            Some((_, value)) => out.push_str(value),
            None => {
                out.push('{');
                out.push_str(name);
                out.push('}');
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
