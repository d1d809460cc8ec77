/* SPDX-License-Identifier: Apache-2.0 */
/* Packet types: framing of what is sent and of what is received. */
#include "test/connection.h"

enum { LINE_PIECE = 64 * 1024 }; /* of a line that is longer, if option buffer wasn't set */

static gentcp_data recv_packet(gentcp_socket socket) {
    gentcp_data data;

    assert_ok(gentcp_recv(socket, 0, SOON, &data));
    return data;
}

static void each_header_is_big_endian_and_tells_the_length_of_what_follows(void **state) {
    static const struct {
        int type;
        const char *header;
        size_t header_size;
    } rows[] = {{GENTCP_PACKET_1, "\005", 1}, {GENTCP_PACKET_2, "\0\005", 2}, {GENTCP_PACKET_4, "\0\0\0\005", 4}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gentcp_socket socket;
        int peer = connect_plain(PASSIVE(GENTCP_PACKET(rows[i].type)), &socket);
        char got[16];
        assert_ok(gentcp_send(socket, "hello", 5));
        assert_int_equal(plain_read(peer, got, rows[i].header_size + 5, SOON), rows[i].header_size + 5);
        assert_memory_equal(got, rows[i].header, rows[i].header_size);
        assert_memory_equal(got + rows[i].header_size, "hello", 5);
        plain_send(peer, got, rows[i].header_size + 5);
        assert_recv(socket, 0, "hello");
        close(peer);
    }
}

static void raw_and_line_send_no_header(void **state) {
    static const int types[] = {GENTCP_RAW, GENTCP_LINE};

    (void)state;
    for (int i = 0; i < 2; i++) {
        gentcp_socket socket;
        int peer = connect_plain(PASSIVE(GENTCP_PACKET(types[i])), &socket);
        assert_ok(gentcp_send(socket, "bare", 4));
        assert_plain_reads(peer, "bare");
        close(peer);
    }
}

static void packets_of_every_size_arrive_as_they_were_sent(void **state) {
    static const struct {
        int type;
        size_t sizes[8]; /* up to the first 0 after the first */
    } rows[] = {{GENTCP_PACKET_1, {0, 1, 254, 255}},
                {GENTCP_PACKET_2, {0, 1, 255, 256, 65534, 65535}},
                {GENTCP_PACKET_4, {0, 1, 65535, 65536, 65537, 3000000}}};
    uint8_t *bytes = malloc(3000000);

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < 3000000; i++)
        bytes[i] = (uint8_t)(i * 31 >> 2);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const gentcp_option *options = PASSIVE(GENTCP_PACKET(rows[i].type), GENTCP_HIGH_WATERMARK(100000000));
        pair p = connect_pair(options);
        assert_ok(gentcp_setopts(p.there, options));
        for (int j = 0; j == 0 || (j < 8 && rows[i].sizes[j] != 0); j++)
            assert_ok(gentcp_send(p.here, bytes, rows[i].sizes[j]));
        for (int j = 0; j == 0 || (j < 8 && rows[i].sizes[j] != 0); j++) {
            gentcp_data data = recv_packet(p.there);
            assert_int_equal(data.size, rows[i].sizes[j]);
            assert_memory_equal(data.bytes, bytes, data.size);
            gentcp_data_release(&data);
        }
        assert_ok(gentcp_close(p.here));
    }
    free(bytes);
}

static void a_packet_longer_than_its_header_can_tell_is_emsgsize_and_sends_nothing(void **state) {
    static const struct {
        int type;
        size_t most;
    } rows[] = {{GENTCP_PACKET_1, 255}, {GENTCP_PACKET_2, 65535}};
    uint8_t *bytes = calloc(1, 70000);

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gentcp_socket socket;
        int peer = connect_plain(PASSIVE(GENTCP_PACKET(rows[i].type)), &socket);
        char got[8];
        assert_int_equal(gentcp_send(socket, bytes, rows[i].most + 1), -EMSGSIZE);
        assert_int_equal(gentcp_send(socket, bytes, 70000), -EMSGSIZE);
        assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_PACKET(GENTCP_RAW))));
        assert_ok(gentcp_send(socket, "next", 4));
        assert_int_equal(plain_read(peer, got, 4, SOON), 4);
        assert_memory_equal(got, "next", 4);
        close(peer);
    }
    free(bytes);
}

static void packets_that_come_byte_by_byte_are_put_together(void **state) {
    static const char stream[] = "\0\0\0\003abc\0\0\0\0\0\0\0\001d";
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_PACKET(GENTCP_PACKET_4)), &socket);

    (void)state;
    for (size_t i = 0; i < sizeof stream - 1; i++) {
        plain_send(peer, stream + i, 1);
        if (i == 6)
            assert_tcp(socket, "abc");
        else if (i == 10)
            assert_tcp(socket, "");
        else if (i < sizeof stream - 2)
            assert_silence(socket);
    }
    assert_tcp(socket, "d");
    close(peer);
}

static void packets_that_come_together_are_received_one_by_one(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_PACKET_1)), &socket);

    (void)state;
    plain_send(peer, "\001a\002bc\000\003def", 10);
    assert_recv(socket, 0, "a");
    assert_recv(socket, 0, "bc");
    assert_recv(socket, 0, "");
    assert_recv(socket, 0, "def");
    close(peer);
}

static void a_header_that_promises_100_million_bytes_is_waited_for(void **state) {
    static const uint8_t header[] = {0x05, 0xf5, 0xe1, 0x00};
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_PACKET_4)), &socket);

    (void)state;
    plain_send(peer, header, 4);
    plain_say(peer, "the beginning");
    assert_int_equal(recv_status(socket, 0, BRIEFLY), GENTCP_TIMEOUT);
    close(peer);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
}

static void a_header_of_2_GiB_is_emsgsize(void **state) {
    static const uint8_t headers[][4] = {{0x7f, 0xff, 0xff, 0xfc}, {0x80, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}};

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        gentcp_socket socket;
        int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_PACKET_4)), &socket);
        plain_send(peer, headers[i], 4);
        assert_int_equal(recv_status(socket, 0, SOON), -EMSGSIZE);
        close(peer);
    }
}

static void a_packet_above_packet_size_is_emsgsize_and_then_enotconn(void **state) {
    static const struct {
        int type;
        const char *fits, *does_not;
        size_t fits_size, does_not_size;
    } rows[] = {
        {GENTCP_PACKET_1, "\003abc", "\004", 4, 1},
        {GENTCP_PACKET_2, "\0\003abc", "\0\004", 5, 2},
        {GENTCP_PACKET_4, "\0\0\0\003abc", "\0\0\0\004", 7, 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gentcp_socket socket;
        int peer = connect_plain(PASSIVE(GENTCP_PACKET(rows[i].type), GENTCP_PACKET_SIZE(3)), &socket);
        plain_send(peer, rows[i].fits, rows[i].fits_size);
        assert_recv(socket, 0, "abc");
        plain_send(peer, rows[i].does_not, rows[i].does_not_size);
        assert_int_equal(recv_status(socket, 0, SOON), -EMSGSIZE);
        assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
        assert_int_equal(gentcp_send(socket, "x", 1), -ENOTCONN);
        close(peer);
    }
}

static void an_incomplete_packet_at_the_end_is_dropped(void **state) {
    static const struct {
        int type;
        const char *bytes;
        size_t size;
    } rows[] = {{GENTCP_PACKET_1, "\002a", 2},
                {GENTCP_PACKET_2, "\0", 1},
                {GENTCP_PACKET_4, "\0\0\0\002a", 5},
                {GENTCP_LINE, "half a line", 11}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gentcp_socket socket;
        int peer = connect_plain(PASSIVE(GENTCP_PACKET(rows[i].type)), &socket);
        plain_send(peer, rows[i].bytes, rows[i].size);
        close(peer);
        assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
        assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
        peer = connect_plain(gentcp_options(GENTCP_PACKET(rows[i].type)), &socket);
        plain_send(peer, rows[i].bytes, rows[i].size);
        close(peer);
        assert_told(socket, GENTCP_TCP_CLOSED);
    }
}

static void lines_come_one_by_one_with_their_delimiter(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_LINE)), &socket);

    (void)state;
    plain_say(peer, "one\r\n\ntwo");
    assert_recv(socket, 0, "one\r\n");
    assert_recv(socket, 0, "\n");
    assert_int_equal(recv_status(socket, 0, BRIEFLY), GENTCP_TIMEOUT);
    plain_say(peer, "-and-a-half\n");
    assert_recv(socket, 0, "two-and-a-half\n");
    close(peer);
}

static void a_line_longer_than_buffer_comes_in_pieces_if_buffer_was_set(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_LINE), GENTCP_BUFFER(10)), &socket);

    (void)state;
    plain_say(peer, "0123456789abcd\nnext\n");
    assert_recv(socket, 0, "0123456789");
    assert_recv(socket, 0, "abcd\n");
    assert_recv(socket, 0, "next\n");
    close(peer);
}

static void a_line_comes_in_pieces_of_64_KiB_otherwise(void **state) {
    enum { LONG = LINE_PIECE + 1000 };
    pair p = connect_pair(PASSIVE(GENTCP_HIGH_WATERMARK(LONG)));
    char *line = malloc(LONG);
    gentcp_data data;

    (void)state;
    assert_non_null(line);
    memset(line, 'x', LONG);
    line[LONG - 1] = '\n';
    assert_ok(gentcp_setopts(p.there, gentcp_options(GENTCP_PACKET(GENTCP_LINE))));
    assert_ok(gentcp_send(p.here, line, LONG));
    assert_ok(gentcp_send(p.here, line + 1001, LONG - 1001));
    data = recv_packet(p.there);
    assert_int_equal(data.size, LINE_PIECE);
    gentcp_data_release(&data);
    data = recv_packet(p.there);
    assert_int_equal(data.size, 1000);
    assert_int_equal(data.bytes[999], '\n');
    gentcp_data_release(&data);
    data = recv_packet(p.there);
    assert_int_equal(data.size, LONG - 1001);
    assert_int_equal(data.bytes[data.size - 1], '\n');
    gentcp_data_release(&data);
    free(line);
}

static void a_line_above_packet_size_is_emsgsize(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_LINE), GENTCP_PACKET_SIZE(5)), &socket);

    (void)state;
    plain_say(peer, "1234\n");
    assert_recv(socket, 0, "1234\n");
    plain_say(peer, "12345\n");
    assert_int_equal(recv_status(socket, 0, SOON), -EMSGSIZE);
    assert_int_equal(recv_status(socket, 0, SOON), -ENOTCONN);
    close(peer);
}

static void a_line_ends_with_its_delimiter_which_is_taken_everywhere(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_LINE), GENTCP_LINE_DELIMITER(';')), &socket);

    (void)state;
    plain_say(peer, "a\nb;c;d\xff");
    assert_recv(socket, 0, "a\nb;");
    assert_recv(socket, 0, "c;");
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_LINE_DELIMITER(255))));
    assert_recv(socket, 0, "d\xff");
    close(peer);
}

static void the_packet_type_can_change_within_what_was_read_ahead(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_LINE)), &socket);

    (void)state;
    plain_send(peer, "header\n\002ab\0\001crest", 17);
    assert_recv(socket, 0, "header\n");
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_PACKET(GENTCP_PACKET_1))));
    assert_recv(socket, 0, "ab");
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_PACKET(GENTCP_PACKET_2))));
    assert_recv(socket, 0, "c");
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_PACKET(GENTCP_RAW))));
    assert_recv(socket, 0, "rest");
    close(peer);
}

static void unrecv_bytes_are_framed_like_all_others(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_PACKET_2)), &socket);

    (void)state;
    plain_send(peer, "defg", 4);
    assert_ok(gentcp_unrecv(socket, "\0\002ab\0\005c", 7));
    assert_recv(socket, 0, "ab");
    assert_recv(socket, 0, "cdefg");
    close(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(each_header_is_big_endian_and_tells_the_length_of_what_follows),
        TEST(raw_and_line_send_no_header),
        TEST(packets_of_every_size_arrive_as_they_were_sent),
        TEST(a_packet_longer_than_its_header_can_tell_is_emsgsize_and_sends_nothing),
        TEST(packets_that_come_byte_by_byte_are_put_together),
        TEST(packets_that_come_together_are_received_one_by_one),
        TEST(a_header_that_promises_100_million_bytes_is_waited_for),
        TEST(a_header_of_2_GiB_is_emsgsize),
        TEST(a_packet_above_packet_size_is_emsgsize_and_then_enotconn),
        TEST(an_incomplete_packet_at_the_end_is_dropped),
        TEST(lines_come_one_by_one_with_their_delimiter),
        TEST(a_line_longer_than_buffer_comes_in_pieces_if_buffer_was_set),
        TEST(a_line_comes_in_pieces_of_64_KiB_otherwise),
        TEST(a_line_above_packet_size_is_emsgsize),
        TEST(a_line_ends_with_its_delimiter_which_is_taken_everywhere),
        TEST(the_packet_type_can_change_within_what_was_read_ahead),
        TEST(unrecv_bytes_are_framed_like_all_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
