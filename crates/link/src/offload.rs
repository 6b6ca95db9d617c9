//! What a device with offload does, in software.

use synfin_wire::checksum::Sum;

use crate::TxChecksum;

/// Finishes a transport checksum that was left to the device: sums from `at.start` to the end and stores at
/// `at.start + at.offset`. A place outside the packet changes nothing.
pub fn finish_checksum(packet: &mut [u8], at: TxChecksum) {
    let Some(transport) = packet.get_mut(usize::from(at.start)..) else { return };
    let sum = Sum::new().add(transport).finish().to_be_bytes();
    let field = transport.get_mut(usize::from(at.offset)..).and_then(|rest| rest.first_chunk_mut());
    if let Some(field) = field {
        *field = sum;
    }
}

#[cfg(test)]
mod tests;
