//! The partition of a topic.

/// The partition to which Kafka's own producers send records with this key: murmur2, as their default partitioner has it. So
/// other programs can publish on a topic, too.
pub(super) fn partition(topic: &str, partitions: i32) -> i32 {
    let hash = murmur2(topic.as_bytes()) & 0x7fff_ffff;
    // Both are below 2^31.
    (hash % partitions.max(1).unsigned_abs()) as i32
}

fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ data.len() as u32;
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut word = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]).wrapping_mul(M);
        word ^= word >> 24;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values are those of Kafka's own tests of its Java client.
    #[test]
    fn the_hash_is_that_of_kafkas_producers() {
        for (key, hash) in [
            ("21", -973932308),
            ("foobar", -790332482),
            ("a-little-bit-long-string", -985981536),
            ("a-little-bit-longer-string", -1486304829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
            ("abc", 479470107),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
    }

    #[test]
    fn a_topic_has_a_partition_that_exists() {
        for partitions in [1, 2, 3, 8, 1000, i32::MAX] {
            for topic in ["a", "chat/rust", "ü", "\0ws-hub/heartbeat/0"] {
                assert!((0..partitions).contains(&partition(topic, partitions)), "{topic} {partitions}");
            }
        }
        assert_eq!(partition("a", 0), 0);
    }
}
