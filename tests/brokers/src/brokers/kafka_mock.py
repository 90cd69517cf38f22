"""The mock cluster of librdkafka, steered by lines on standard input: down, up, delete. Each is answered by a line.

usage: kafka_mock.py TOPIC PARTITIONS
"""

import ctypes
import glob
import os
import sys

import confluent_kafka

site = os.path.dirname(os.path.dirname(confluent_kafka.__file__))
library = ctypes.CDLL(glob.glob(os.path.join(site, "confluent_kafka.libs", "librdkafka*.so*"))[0])
pointer, text, int32, int64 = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, ctypes.c_int64


def function(name, result, *arguments):
    found = getattr(library, "rd_kafka_" + name)
    found.restype, found.argtypes = result, arguments
    return found


new_settings = function("conf_new", pointer)
new_client = function("new", pointer, ctypes.c_int, pointer, text, ctypes.c_size_t)
new_cluster = function("mock_cluster_new", pointer, pointer, ctypes.c_int)
bootstraps = function("mock_cluster_bootstraps", text, pointer)
create_topic = function("mock_topic_create", ctypes.c_int, pointer, text, ctypes.c_int, ctypes.c_int)
set_down = function("mock_broker_set_down", ctypes.c_int, pointer, int32)
set_up = function("mock_broker_set_up", ctypes.c_int, pointer, int32)
delete_records = function("mock_partition_delete_records", ctypes.c_int, pointer, text, int32, int64)

error = ctypes.create_string_buffer(500)
cluster = new_cluster(new_client(0, new_settings(), error, len(error)), 1)
topic, partitions = sys.argv[1].encode(), int(sys.argv[2])
if create_topic(cluster, topic, partitions, 1) != 0:
    sys.exit("the topic cannot be made")
server = bootstraps(cluster).decode()
print(server, flush=True)


def delete_all():
    """Deletes all records but the last one of each partition, as their age would."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": server, "group.id": "deleting"})
    for partition in range(partitions):
        _, end = consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic.decode(), partition), timeout=10)
        if end > 0 and delete_records(cluster, topic, partition, end - 1) != 0:
            sys.exit(f"the records of partition {partition} cannot be deleted")
    consumer.close()


for line in sys.stdin:
    match line.strip():
        case "down":
            set_down(cluster, -1)
        case "up":
            set_up(cluster, -1)
        case "delete":
            delete_all()
        case other:
            sys.exit(f"there is no command {other}")
    print("done", flush=True)
