/* SPDX-License-Identifier: Apache-2.0 */
/* Packet types asn1, sunrm, cdr, fcgi and tpkt, whose packets tell their own length. */
#include "test/connection.h"

typedef struct sample {
    int type;
    const char *bytes;
    size_t size, delivered; /* less: what follows is padding */
} sample;

#define SAMPLE(type, text, padding)                                                                                    \
    { (type), (text), sizeof(text) - 1, sizeof(text) - 1 - (padding) }

static const sample samples[] = {
    SAMPLE(GENTCP_ASN1, "\x30\x03\x02\x01\x05", 0),   /* SEQUENCE {INTEGER 5} */
    SAMPLE(GENTCP_ASN1, "\x1f\x81\x01\x81\x02xy", 0), /* a tag and a length of several bytes */
    SAMPLE(GENTCP_SUNRM, "\x80\0\0\x04last", 0),      /* the last fragment, */
    SAMPLE(GENTCP_SUNRM,
           "\0\0\0\x05"
           "irst?",
           0),                                                 /* and one that isn't */
    SAMPLE(GENTCP_CDR, "GIOP\x01\x01\0\x02\0\0\0\x02xy", 0),   /* big-endian, */
    SAMPLE(GENTCP_CDR, "GIOP\x01\x01\x01\x02\x02\0\0\0xy", 0), /* little-endian */
    SAMPLE(GENTCP_FCGI, "\x01\x05\0\x01\0\x04\x03\0data\0\0\0", 3),
    SAMPLE(GENTCP_FCGI, "\x01\x05\0\x01\0\0\0\0", 0),
    SAMPLE(GENTCP_TPKT,
           "\x03\0\0\x08"
           "data",
           0),
};
enum { SAMPLES = sizeof samples / sizeof *samples };

static void assert_packet(gentcp_data *data, const sample *expected) {
    assert_int_equal(data->size, expected->delivered);
    assert_memory_equal(data->bytes, expected->bytes, expected->delivered);
    assert_null(data->http);
    gentcp_data_release(data);
}

static void a_packet_is_delivered_with_its_header_and_without_padding(void **state) {
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        gentcp_message message;
        gentcp_socket socket;
        gentcp_data data;
        int peer = connect_plain(PASSIVE(GENTCP_PACKET(samples[i].type)), &socket);
        for (int n = 0; n < 3; n++)
            plain_send(peer, samples[i].bytes, samples[i].size);
        assert_ok(gentcp_recv(socket, 0, SOON, &data));
        assert_packet(&data, &samples[i]);
        assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE(GENTCP_ONCE))));
        assert_ok(gentcp_receive_from(socket, &message, SOON));
        assert_int_equal(message.kind, GENTCP_TCP);
        assert_packet(&message.data, &samples[i]);
        assert_ok(gentcp_recv(socket, 0, SOON, &data));
        assert_packet(&data, &samples[i]);
        close(peer);
        assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
    }
}

static void a_packet_is_put_together_from_its_bytes_and_dropped_if_some_are_missing(void **state) {
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        gentcp_message message;
        gentcp_socket socket;
        int peer = connect_plain(gentcp_options(GENTCP_PACKET(samples[i].type)), &socket);
        for (size_t sent = 0; sent < samples[i].size; sent++) {
            assert_silence(socket);
            plain_send(peer, samples[i].bytes + sent, 1);
        }
        assert_ok(gentcp_receive_from(socket, &message, SOON));
        assert_packet(&message.data, &samples[i]);
        plain_send(peer, samples[i].bytes, samples[i].size - 1);
        close(peer);
        assert_told(socket, GENTCP_TCP_CLOSED);
    }
}

static void a_packet_is_sent_as_it_is(void **state) {
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        gentcp_socket socket;
        char got[32];
        int peer = connect_plain(PASSIVE(GENTCP_PACKET(samples[i].type)), &socket);
        assert_ok(gentcp_send(socket, samples[i].bytes, samples[i].size));
        assert_ok(gentcp_close(socket));
        assert_int_equal(plain_read(peer, got, sizeof got, SOON), samples[i].size);
        assert_memory_equal(got, samples[i].bytes, samples[i].size);
        close(peer);
    }
}

static void a_header_that_cannot_be_right_is_emsgsize(void **state) {
    static const sample wrong[] = {
        SAMPLE(GENTCP_ASN1, "\x30\x85\0\0\0\0\x01", 0),   SAMPLE(GENTCP_CDR, "GIOQ\x01\x01\0\x02\0\0\0\x02", 0),
        SAMPLE(GENTCP_FCGI, "\x02\x05\0\x01\0\0\0\0", 0), SAMPLE(GENTCP_TPKT, "\x04\0\0\x08", 0),
        SAMPLE(GENTCP_TPKT, "\x03\0\0\x03", 0),
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        gentcp_socket socket;
        int peer = connect_plain(PASSIVE(GENTCP_PACKET(wrong[i].type)), &socket);
        plain_send(peer, wrong[i].bytes, wrong[i].size);
        assert_int_equal(recv_status(socket, 0, SOON), -EMSGSIZE);
        assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
        close(peer);
        peer = connect_plain(gentcp_options(GENTCP_PACKET(wrong[i].type)), &socket);
        plain_send(peer, wrong[i].bytes, wrong[i].size);
        assert_int_equal(assert_told(socket, GENTCP_TCP_ERROR), -EMSGSIZE);
        assert_told(socket, GENTCP_TCP_CLOSED);
        close(peer);
    }
}

static void a_packet_above_packet_size_is_emsgsize(void **state) {
    static const sample large[] = {
        SAMPLE(GENTCP_ASN1, "\x30\x65", 0),
        SAMPLE(GENTCP_SUNRM, "\x80\0\0\x65", 0),
        SAMPLE(GENTCP_CDR, "GIOP\x01\x01\0\x02\0\0\0\x65", 0),
        SAMPLE(GENTCP_FCGI, "\x01\x05\0\x01\0\x65\0\0", 0),
        SAMPLE(GENTCP_TPKT, "\x03\0\0\x69", 0),
    };

    (void)state;
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        for (int limit = 100; limit <= 101; limit++) {
            gentcp_socket socket;
            int peer = connect_plain(PASSIVE(GENTCP_PACKET(large[i].type), GENTCP_PACKET_SIZE(limit)), &socket);
            plain_send(peer, large[i].bytes, large[i].size);
            assert_int_equal(recv_status(socket, 0, limit == 100 ? SOON : BRIEFLY),
                             limit == 100 ? -EMSGSIZE : GENTCP_TIMEOUT);
            close(peer);
        }
    }
}

static void the_type_is_read_back(void **state) {
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        gentcp_socket socket;
        int peer = connect_plain(PASSIVE(GENTCP_PACKET(samples[i].type)), &socket);
        assert_int_equal(option_of(socket, GENTCP_OPT_PACKET), samples[i].type);
        close(peer);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_packet_is_delivered_with_its_header_and_without_padding),
        TEST(a_packet_is_put_together_from_its_bytes_and_dropped_if_some_are_missing),
        TEST(a_packet_is_sent_as_it_is),
        TEST(a_header_that_cannot_be_right_is_emsgsize),
        TEST(a_packet_above_packet_size_is_emsgsize),
        TEST(the_type_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
