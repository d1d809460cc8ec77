/* SPDX-License-Identifier: Apache-2.0 */
/* However the network cuts a stream, a socket has the same to tell: for every packet type, in messages and from recv.
 */
#include "test/connection.h"
#include "test/scale.h"

#include <netinet/in.h>

typedef struct sample {
    int type;          /* enum gentcp_packet */
    int option, value; /* one more option */
    const char *stream;
    size_t size;
    const char *told; /* of it, among other things */
} sample;

#define SAMPLE(type, text, told)                                                                                       \
    { (type), GENTCP_OPT_PACKET_SIZE, 0, (text), sizeof(text) - 1, (told) }
#define SAMPLE_WITH(type, option, value, text, told)                                                                   \
    { (type), (option), (value), (text), sizeof(text) - 1, (told) }
#define HTTP_LINES                                                                                                     \
    "PUT /a?b HTTP/1.1\r\nA: 1\r\nb:\r\n\tgoes\n  on \r\nbad\r\n\r\n\r\nG\n"                                           \
    "GET http://h:80/ HTTP/1.0\n\nHTTP/1.1 200 OK\r\nD: \n\r\nhalf"

/* Most end within a packet; those with a limit end with a packet that is above it. */
static const sample samples[] = {
    SAMPLE(GENTCP_PACKET_1, "\3abc\0\1x\5half", "<abc><><x><closed>"),
    SAMPLE(GENTCP_PACKET_2, "\0\3abc\0\0\0\1x\0\5half", "<abc><><x><closed>"),
    SAMPLE(GENTCP_PACKET_4, "\0\0\0\3abc\0\0\0\0\0\0\0\1x\0\0\0\5half", "<abc><><x><closed>"),
    SAMPLE_WITH(GENTCP_PACKET_4, GENTCP_OPT_PACKET_SIZE, 3, "\0\0\0\3abc\0\0\0\4abcd", "<abc><emsgsize>"),
    SAMPLE(GENTCP_LINE, "one\n\nthree\nhalf", "<one\n><\n><three\n><closed>"),
    SAMPLE_WITH(GENTCP_LINE, GENTCP_OPT_LINE_DELIMITER, ',', "one, , three,half", "<one,>< ,>< three,><closed>"),
    SAMPLE_WITH(GENTCP_LINE, GENTCP_OPT_BUFFER, 4, "one\ntwo and three\nhalf",
                "<one\n><two ><and ><thre><e\n><half><closed>"),
    SAMPLE_WITH(GENTCP_LINE, GENTCP_OPT_PACKET_SIZE, 4, "one\ntwo\nthree\n", "<one\n><two\n><emsgsize>"),
    SAMPLE(GENTCP_ASN1, "\x30\3\2\1\5\x1f\x81\1\x81\2xy\4\0\4\5half", "\1\x81\2xy>"),
    SAMPLE(GENTCP_SUNRM, "\x80\0\0\4last\0\0\0\5first\x80\0\0\5half", "first>"),
    SAMPLE(GENTCP_CDR, "GIOP\1\1\0\2\0\0\0\2xyGIOP\1\1\1\2\2\0\0\0xyGIOP\1\1\0\2\0\0\0\5half", "xy><GIOP"),
    SAMPLE(GENTCP_CDR, "GIOP\1\1\0\2\0\0\0\2xyWHATEVERITIS", "xy><emsgsize>"),
    SAMPLE(GENTCP_FCGI, "\1\5\0\1\0\4\3\0data\0\0\0\1\5\0\1\0\0\0\0\1\5\0\1\0\5\0\0half", "data>"),
    SAMPLE(GENTCP_TPKT, "\3\0\0\6hi\3\0\0\4\3\0\0\11half", "hi>"),
    SAMPLE(GENTCP_HTTP, HTTP_LINES, "PUT /a?b HTTP/1.1\r\n>"),
    SAMPLE(GENTCP_HTTPH, HTTP_LINES, "on \r\n>"),
    SAMPLE_WITH(GENTCP_HTTP, GENTCP_OPT_PACKET_SIZE, 16, "GET / HTTP/1.1\r\nA: 1\r\n 2\r\n 3\r\n 4\r\n\r\n",
                "<emsgsize>"),
};

/* Searches bytes that may hold zeros. */
static bool tells(const char *text, size_t size, const char *told) {
    for (size_t i = 0; i + strlen(told) <= size; i++) {
        if (memcmp(text + i, told, strlen(told)) == 0)
            return true;
    }
    return false;
}

/* What a socket has told: packets in brackets, a line of http with what it is, and the end. */
typedef struct account {
    char text[2000];
    size_t size;
    bool over;
} account;

static void write_down(account *a, const void *bytes, size_t size) {
    assert_true(a->size + size < sizeof a->text);
    memcpy(a->text + a->size, bytes, size);
    a->size += size;
}

static void write_packet(account *a, gentcp_data *data) {
    write_down(a, "<", 1);
    if (data->http != NULL) {
        char kind[2] = {(char)('0' + data->http->kind), ':'};
        write_down(a, kind, 2);
    }
    write_down(a, data->bytes, data->size);
    write_down(a, ">", 1);
    gentcp_data_release(data);
}

static void write_end(account *a, const char *why) {
    write_down(a, "<", 1);
    write_down(a, why, strlen(why));
    write_down(a, ">", 1);
    a->over = true;
}

static void take_messages(gentcp_socket socket, int64_t timeout, account *a) {
    gentcp_message message;

    while (!a->over && gentcp_receive_from(socket, &message, timeout) == 0) {
        if (message.kind == GENTCP_TCP || message.kind == GENTCP_HTTP_LINE)
            write_packet(a, &message.data);
        else
            write_end(a, message.kind == GENTCP_TCP_ERROR ? gentcp_error_name(message.reason) : "closed");
    }
}

static void take_by_recv(gentcp_socket socket, int64_t timeout, account *a) {
    while (!a->over) {
        gentcp_data data;
        int status = gentcp_recv(socket, 0, timeout, &data);
        if (status == GENTCP_TIMEOUT)
            return;
        if (status == 0)
            write_packet(a, &data);
        else
            write_end(a, gentcp_error_name(status));
    }
}

/* Sends a stream in pieces that end at first, first + step, and so on, and takes what is there after each of them. */
static void account_of(const sample *s, bool active, size_t first, size_t step, account *a) {
    void (*take)(gentcp_socket, int64_t, account *) = active ? take_messages : take_by_recv;
    static const int yes = 1;
    const gentcp_option *options =
        gentcp_options(GENTCP_ACTIVE(active), GENTCP_PACKET(s->type), GENTCP_OPTION(s->option, s->value));
    gentcp_socket socket;
    int peer = connect_plain(options, &socket);

    a->size = 0;
    a->over = false;
    assert_ok(setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes));
    for (size_t from = 0, to = first; from < s->size && !a->over; from = to, to += step) {
        if (to > s->size)
            to = s->size;
        plain_send(peer, s->stream + from, to - from);
        take(socket, 0, a);
    }
    close(peer);
    take(socket, SOON, a);
    assert_true(a->over);
    a->text[a->size] = '\0';
    assert_ok(gentcp_close(socket));
}

static void assert_same(const account *whole, const account *pieces) {
    assert_int_equal(whole->size, pieces->size);
    assert_memory_equal(whole->text, pieces->text, whole->size);
}

static void any_split_gives_the_same(bool active) {
    size_t stride = (size_t)(100 / (scale_percent() < 100 ? scale_percent() : 100));

    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const sample *s = &samples[i];
        account whole, pieces;
        account_of(s, active, s->size, 1, &whole);
        if (!tells(whole.text, whole.size, s->told))
            fail_msg("sample %zu: %s", i, whole.text);
        account_of(s, active, 1, 1, &pieces);
        assert_same(&whole, &pieces);
        for (size_t first = 1; first < s->size; first += stride) {
            account_of(s, active, first, s->size, &pieces);
            assert_same(&whole, &pieces);
        }
    }
}

static void any_split_of_any_type_gives_the_same_messages(void **state) {
    (void)state;
    any_split_gives_the_same(true);
}

static void any_split_of_any_type_gives_recv_the_same_packets(void **state) {
    (void)state;
    any_split_gives_the_same(false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(any_split_of_any_type_gives_the_same_messages),
        TEST(any_split_of_any_type_gives_recv_the_same_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
