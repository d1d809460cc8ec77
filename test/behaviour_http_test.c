/* SPDX-License-Identifier: Apache-2.0 */
/* Packet types http and httph: lines of HTTP, and what they say. */
#include "test/connection.h"

#define HTTP  GENTCP_PACKET(GENTCP_HTTP)
#define HTTPH GENTCP_PACKET(GENTCP_HTTPH)
#define RAW   GENTCP_PACKET(GENTCP_RAW)

enum { EVENTS_MAX = 4096 };

static void append(char *events, const char *text) {
    size_t have = strlen(events);

    assert_true(have + strlen(text) + 1 < EVENTS_MAX);
    memcpy(events + have, text, strlen(text) + 1);
}

/* A text, after a space, unless it is empty. Its zero is where its size says. */
static void append_text(char *events, gentcp_text text) {
    assert_non_null(text.bytes);
    assert_int_equal(strlen(text.bytes), text.size);
    if (text.size > 0)
        append(events, " ");
    append(events, text.bytes);
}

static void append_number(char *events, const char *before, int number) {
    char text[32];

    snprintf(text, sizeof text, "%s%d", before, number);
    append(events, text);
}

/* What a line says, as text: every part of a gentcp_http that isn't empty. */
static void describe(const gentcp_data *data, char *events) {
    static const char *const kinds[] = {"", "request", "response", "header", "end", "error"};
    static const char *const uris[] = {" star", " path", " absolute", " scheme", " other"};
    const gentcp_http *http = data->http;

    assert_non_null(http);
    assert_in_range(http->kind, GENTCP_HTTP_REQUEST, GENTCP_HTTP_ERROR);
    assert_in_range(http->uri, GENTCP_URI_STAR, GENTCP_URI_OTHER);
    append(events, kinds[http->kind]);
    append_text(events, http->method);
    if (http->kind == GENTCP_HTTP_REQUEST)
        append(events, uris[http->uri]);
    append_text(events, http->scheme);
    append_text(events, http->host);
    if (http->port != 0)
        append_number(events, " port ", (int)http->port);
    append_text(events, http->path);
    if (http->major != 0 || http->minor != 0) {
        append_number(events, " ", http->major);
        append_number(events, ".", http->minor);
    }
    if (http->status != 0)
        append_number(events, " ", http->status);
    append_text(events, http->phrase);
    append_text(events, http->sent);
    append_text(events, http->name);
    append_text(events, http->value);
    if (http->kind == GENTCP_HTTP_ERROR) {
        append(events, " ");
        append(events, (const char *)data->bytes);
    }
}

static void assert_says(gentcp_data *data, const char *event) {
    char events[EVENTS_MAX] = "";

    describe(data, events);
    assert_string_equal(events, event);
    gentcp_data_release(data);
    assert_null(data->http);
}

static void assert_recv_http(gentcp_socket socket, const char *event) {
    gentcp_data data;

    assert_ok(gentcp_recv(socket, 0, SOON, &data));
    assert_says(&data, event);
}

static void assert_http(gentcp_socket socket, const char *event) {
    gentcp_message message;

    assert_ok(gentcp_receive_from(socket, &message, SOON));
    assert_int_equal(message.kind, GENTCP_HTTP_LINE);
    assert_int_equal(message.socket.id, socket.id);
    assert_says(&message.data, event);
}

/* ---- what a line says ---- */

/* One line, and what it is read as; of httph if that is the type. */
static void assert_line(int type, const char *line, const char *event) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(type)), &socket);

    plain_say(peer, line);
    plain_say(peer, "\r\n"); /* a header field is known to end when the next line doesn't begin with space */
    assert_recv_http(socket, event);
    assert_ok(gentcp_close(socket));
    close(peer);
}

static void requests(void **state) {
    static const char *const rows[][2] = {
        {"GET / HTTP/1.1\r\n", "request GET path / 1.1"},
        {"get /a?b=c#d HTTP/1.0\n", "request get path /a?b=c#d 1.0"},
        {"PATCH  /a \t HTTP/12.34\r\n", "request PATCH path /a 12.34"},
        {"GET /old\r\n", "request GET path /old 0.9"},
        {"OPTIONS * HTTP/1.1\r\n", "request OPTIONS star * 1.1"},
        {"GET http://Example.org/a HTTP/1.1\r\n", "request GET absolute http Example.org /a 1.1"},
        {"GET HTTPS://example.org:8443 HTTP/1.1\r\n", "request GET absolute https example.org port 8443 / 1.1"},
        {"GET http://example.org:no/ HTTP/1.1\r\n", "request GET absolute http example.org / 1.1"},
        {"CONNECT example.org:80 HTTP/1.1\r\n", "request CONNECT scheme example.org 80 1.1"},
        {"GET mailto:me@example.org HTTP/1.1\r\n", "request GET scheme mailto me@example.org 1.1"},
        {"GET index.html HTTP/1.1\r\n", "request GET other index.html 1.1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_line(GENTCP_HTTP, rows[i][0], rows[i][1]);
}

static void responses(void **state) {
    static const char *const rows[][2] = {
        {"HTTP/1.1 404 Not Found\r\n", "response 1.1 404 Not Found"},
        {"HTTP/1.0 200\r\n", "response 1.0 200"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_line(GENTCP_HTTP, rows[i][0], rows[i][1]);
}

/* Each shows the name as it was sent, and then with the usual capitals. */
static void header_fields(void **state) {
    static const char *const rows[][2] = {
        {"content-LENGTH: 5\r\n", "header content-LENGTH Content-Length 5"},
        {"x-some-thing:none \n", "header x-some-thing X-Some-Thing none "},
        {"Empty:\r\n", "header Empty Empty"},
        {"X: one\r\n\ttwo\r\n three\r\n", "header X X one\r\n\ttwo\r\n three"},
        {"xxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxx: 50\r\n",
         "header xxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxx Xxxxxxxxxxxxxxxxxxxxxxxxx-Xxxxxxxxxxxxxxxxxxxxxxxx "
         "50"},
        {"xxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxxx: 51\r\n",
         "header xxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxx-"
         "xxxxxxxxxxxxxxxxxxxxxxxxx 51"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_line(GENTCP_HTTPH, rows[i][0], rows[i][1]);
}

static void lines_in_error_are_told_as_they_came(void **state) {
    static const struct {
        int type;
        const char *line, *event;
    } rows[] = {
        {GENTCP_HTTP, "nonsense\r\n", "error nonsense\r\n"},
        {GENTCP_HTTP, "GET / HTTP/1\r\n", "error GET / HTTP/1\r\n"},
        {GENTCP_HTTP, "\r\n", "error \r\n"},
        {GENTCP_HTTPH, "no colon\r\n", "error no colon\r\n"},
        {GENTCP_HTTPH, "space : before\n", "error space : before\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_line(rows[i].type, rows[i].line, rows[i].event);
}

static void zeros_within_a_text_are_counted_by_its_size(void **state) {
    static const char line[] = "X: a\0b\r\n\r\n";
    gentcp_socket socket;
    gentcp_data data;
    int peer = connect_plain(PASSIVE(HTTPH), &socket);

    (void)state;
    plain_send(peer, line, sizeof line - 1);
    assert_ok(gentcp_recv(socket, 0, SOON, &data));
    assert_int_equal(data.http->value.size, 3);
    assert_memory_equal(data.http->value.bytes, "a\0b", 4);
    assert_int_equal(data.size, 8);
    assert_memory_equal(data.bytes, line, 8);
    gentcp_data_release(&data);
    close(peer);
}

/* ---- events ---- */

static const char two_requests[] = "POST /a HTTP/1.1\r\nhost: me\r\n\r\nGET /b HTTP/1.0\r\n\r\n";

static void the_line_after_the_end_of_the_header_fields_is_a_request_again(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(HTTP), &socket);

    (void)state;
    plain_say(peer, two_requests);
    assert_recv_http(socket, "request POST path /a 1.1");
    assert_recv_http(socket, "header host Host me");
    assert_recv_http(socket, "end");
    assert_recv_http(socket, "request GET path /b 1.0");
    assert_recv_http(socket, "end");
    assert_int_equal(recv_status(socket, 0, BRIEFLY), GENTCP_TIMEOUT);
    close(peer);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
}

static void an_active_socket_tells_each_line_in_a_message(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(HTTP), &socket);

    (void)state;
    plain_say(peer, two_requests);
    assert_http(socket, "request POST path /a 1.1");
    assert_http(socket, "header host Host me");
    assert_http(socket, "end");
    assert_http(socket, "request GET path /b 1.0");
    assert_http(socket, "end");
    close(peer);
    assert_told(socket, GENTCP_TCP_CLOSED);
}

static void httph_has_header_fields_only(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(HTTPH), &socket);

    (void)state;
    plain_say(peer, "A: 1\r\n\r\nB: 2\r\nGET / HTTP/1.1\r\n\r\n");
    assert_recv_http(socket, "header A A 1");
    assert_recv_http(socket, "end");
    assert_recv_http(socket, "header B B 2");
    assert_recv_http(socket, "error GET / HTTP/1.1\r\n");
    assert_recv_http(socket, "end");
    close(peer);
}

static void after_an_error_reading_goes_on_with_the_next_line(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(HTTP), &socket);

    (void)state;
    plain_say(peer, "??\r\nGET / HTTP/1.1\r\n??\r\nA: 1\r\n\r\n");
    assert_recv_http(socket, "error ??\r\n");
    assert_recv_http(socket, "request GET path / 1.1");
    assert_recv_http(socket, "error ??\r\n");
    assert_recv_http(socket, "header A A 1");
    assert_recv_http(socket, "end");
    close(peer);
}

static void each_line_counts_as_a_message(void **state) {
    const gentcp_option *once = gentcp_options(GENTCP_ACTIVE(GENTCP_ONCE));
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(HTTP, GENTCP_ACTIVE(GENTCP_ONCE)), &socket);

    (void)state;
    plain_say(peer, two_requests);
    assert_http(socket, "request POST path /a 1.1");
    assert_silence(socket);
    assert_ok(gentcp_setopts(socket, once));
    assert_http(socket, "header host Host me");
    assert_silence(socket);
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_ACTIVE_N(2))));
    assert_http(socket, "end");
    assert_http(socket, "request GET path /b 1.0");
    assert_told(socket, GENTCP_TCP_PASSIVE);
    assert_recv_http(socket, "end");
    close(peer);
}

static void a_body_is_received_raw_and_lines_follow_it(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(HTTP, GENTCP_ACTIVE(GENTCP_ONCE)), &socket);

    (void)state;
    plain_say(peer, "PUT /a HTTP/1.1\r\n\r\nA: 1\r\n\n12GET /b HTTP/1.1\r\n\r\nX: trailer\r\n\r\nend");
    assert_http(socket, "request PUT path /a 1.1");
    assert_recv_http(socket, "end");
    assert_ok(gentcp_setopts(socket, gentcp_options(RAW)));
    assert_recv(socket, 9, "A: 1\r\n\n12");
    assert_ok(gentcp_setopts(socket, gentcp_options(HTTP, GENTCP_ACTIVE(GENTCP_ONCE))));
    assert_http(socket, "request GET path /b 1.1");
    assert_recv_http(socket, "end");
    assert_ok(gentcp_setopts(socket, gentcp_options(HTTPH)));
    assert_recv_http(socket, "header X X trailer");
    assert_recv_http(socket, "end");
    assert_ok(gentcp_setopts(socket, gentcp_options(RAW, GENTCP_ACTIVE(true))));
    assert_tcp(socket, "end");
    close(peer);
}

/* That header fields are expected isn't forgotten while the type is another one; as in OTP. */
static void the_type_can_change_between_header_fields(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(HTTP), &socket);

    (void)state;
    plain_say(peer, "GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n");
    assert_recv_http(socket, "request GET path / 1.1");
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_PACKET(GENTCP_LINE))));
    assert_recv(socket, 0, "A: 1\r\n");
    assert_ok(gentcp_setopts(socket, gentcp_options(RAW)));
    assert_recv(socket, 6, "B: 2\r\n");
    assert_ok(gentcp_setopts(socket, gentcp_options(HTTP)));
    assert_recv_http(socket, "header C C 3");
    assert_recv_http(socket, "end");
    close(peer);
}

static void the_line_stays_as_it_came_beside_what_it_says(void **state) {
    gentcp_socket socket;
    gentcp_data data[2];
    char into[64];
    int peer = connect_plain(PASSIVE(HTTP), &socket);

    (void)state;
    plain_say(peer, "GET / HTTP/1.1\r\ncontent-length: 0\r\n\r\n");
    for (int i = 0; i < 2; i++)
        assert_ok(gentcp_recv(socket, 0, SOON, &data[i]));
    assert_int_equal(gentcp_recv_into(socket, into, sizeof into, SOON), 2);
    assert_memory_equal(into, "\r\n", 2);
    assert_string_equal((const char *)data[0].bytes, "GET / HTTP/1.1\r\n");
    assert_string_equal((const char *)data[1].bytes, "content-length: 0\r\n");
    memset(data[1].bytes, '?', data[1].size); /* they are the receiver's to change */
    assert_says(&data[1], "header content-length Content-Length 0");
    assert_says(&data[0], "request GET path / 1.1");
    close(peer);
}

static void other_packets_say_nothing_of_http(void **state) {
    gentcp_socket socket;
    gentcp_data data;
    int peer = connect_plain(PASSIVE(GENTCP_PACKET(GENTCP_LINE)), &socket);

    (void)state;
    plain_say(peer, "GET / HTTP/1.1\r\n");
    assert_ok(gentcp_recv(socket, 0, SOON, &data));
    assert_null(data.http);
    gentcp_data_release(&data);
    close(peer);
}

static void a_listener_hands_the_type_down(void **state) {
    uint16_t port;
    gentcp_socket accepted, here, listener = listen_on_loopback(PASSIVE(HTTP), &port);

    (void)state;
    assert_ok(gentcp_connect("127.0.0.1", port, PASSIVE(HTTP), SOON, &here));
    assert_ok(gentcp_accept(listener, SOON, &accepted));
    assert_ok(gentcp_send(here, "GET / HTTP/1.1\r\n", 16)); /* as it is: no header goes before it */
    assert_recv_http(accepted, "request GET path / 1.1");
    assert_ok(gentcp_send(accepted, "HTTP/1.1 200 OK\r\n", 17));
    assert_recv_http(here, "response 1.1 200 OK");
}

/* ---- the stream in pieces ---- */

/* All that the socket has to tell by now: a line an event. False: its end was told. */
static bool collect(gentcp_socket socket, char *events, int64_t timeout) {
    gentcp_message message;

    while (gentcp_receive_from(socket, &message, timeout) == 0) {
        if (message.kind == GENTCP_HTTP_LINE)
            describe(&message.data, events);
        append(events, message.kind == GENTCP_TCP_CLOSED ? "closed" : "\n");
        gentcp_data_release(&message.data);
        if (message.kind == GENTCP_TCP_CLOSED)
            return false;
    }
    return true;
}

static const char stream[] = "PUT /a?b HTTP/1.1\r\nA: 1\r\nb:\r\n\tgoes\n  on \r\nbad\r\n\r\n\r\n\nG\n"
                             "GET http://h:80/ HTTP/1.0\n\nHTTP/1.1 200 OK\r\nD: \n\r\n";

/* Sends the stream in pieces of that size, the first of them shorter by `less`, and tells what was received. */
static void events_in_pieces(int type, size_t size, size_t less, char *events) {
    static const int yes = 1;
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(GENTCP_PACKET(type)), &socket);

    assert_ok(setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes));
    for (size_t from = 0, to; from < sizeof stream - 1; from = to) {
        to = from + size - (from == 0 ? less : 0);
        if (to > sizeof stream - 1)
            to = sizeof stream - 1;
        plain_send(peer, stream + from, to - from);
        assert_true(collect(socket, events, 0));
    }
    close(peer);
    assert_false(collect(socket, events, SOON));
}

static void however_the_stream_is_split_its_events_are_the_same(void **state) {
    static const int types[] = {GENTCP_HTTP, GENTCP_HTTPH};
    size_t size = sizeof stream - 1;

    (void)state;
    for (int i = 0; i < 2; i++) {
        char whole[EVENTS_MAX] = "";
        events_in_pieces(types[i], size, 0, whole);
        assert_non_null(strstr(whole, "header b B \r\n\tgoes\n  on \n"));
        assert_non_null(strstr(whole, "end\nclosed"));
        for (size_t piece = 1; piece < 4; piece++) {
            char pieces[EVENTS_MAX] = "";
            events_in_pieces(types[i], piece, 0, pieces);
            assert_string_equal(pieces, whole);
        }
        for (size_t less = 1; less < size; less++) {
            char two[EVENTS_MAX] = "";
            events_in_pieces(types[i], size, less, two);
            assert_string_equal(two, whole);
        }
    }
}

static void an_unfinished_line_is_kept_by_a_timeout_and_dropped_at_the_end(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(HTTP), &socket);

    (void)state;
    plain_say(peer, "GET / HT");
    assert_int_equal(recv_status(socket, 0, BRIEFLY), GENTCP_TIMEOUT);
    plain_say(peer, "TP/1.1\r\nA: 1\r\n"); /* which may go on */
    assert_recv_http(socket, "request GET path / 1.1");
    assert_int_equal(recv_status(socket, 0, BRIEFLY), GENTCP_TIMEOUT);
    close(peer);
    assert_int_equal(recv_status(socket, 0, SOON), GENTCP_CLOSED);
}

/* ---- too long ---- */

/* A request line of that many bytes. */
static char *long_line(size_t size) {
    char *line = malloc(size + 1);

    assert_non_null(line);
    memset(line, 'x', size);
    memcpy(line, "GET /", 5);
    memcpy(line + size - 2, "\r\n", 3);
    return line;
}

static void assert_longest_line(const gentcp_option *options, size_t longest) {
    for (size_t size = longest; size <= longest + 1; size++) {
        char *line = long_line(size);
        gentcp_socket socket;
        int peer = connect_plain(options, &socket);
        plain_say(peer, line);
        assert_int_equal(recv_status(socket, 0, SOON), size == longest ? 0 : -EMSGSIZE);
        assert_int_equal(recv_status(socket, 0, size == longest ? BRIEFLY : SOON),
                         size == longest ? GENTCP_TIMEOUT : -ENOTCONN);
        close(peer);
        free(line);
    }
}

static void a_line_is_as_long_as_packet_size_or_else_as_buffer_or_else_64_KiB(void **state) {
    (void)state;
    assert_longest_line(PASSIVE(HTTP, GENTCP_PACKET_SIZE(100)), 100);
    assert_longest_line(PASSIVE(HTTP, GENTCP_PACKET_SIZE(2000), GENTCP_BUFFER(100)), 2000);
    assert_longest_line(PASSIVE(HTTP, GENTCP_BUFFER(3000)), 3000);
    assert_longest_line(PASSIVE(HTTP), 64 * 1024);
}

static void an_active_socket_ends_with_emsgsize_at_a_line_that_is_too_long(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(gentcp_options(HTTP, GENTCP_PACKET_SIZE(20)), &socket);

    (void)state;
    plain_say(peer, "GET / HTTP/1.1\r\nA: 1\r\n 2\r\n 3\r\n 4\r\n 5\r\n\r\n");
    assert_http(socket, "request GET path / 1.1");
    assert_int_equal(assert_told(socket, GENTCP_TCP_ERROR), -EMSGSIZE);
    assert_told(socket, GENTCP_TCP_CLOSED);
    close(peer);
}

/* Erlang's types for another kind of strings are the same here. */
static void the_type_is_read_back(void **state) {
    gentcp_socket socket;
    int peer = connect_plain(PASSIVE(HTTP), &socket);

    (void)state;
    assert_int_equal(option_of(socket, GENTCP_OPT_PACKET), GENTCP_HTTP);
    assert_ok(gentcp_setopts(socket, gentcp_options(HTTPH)));
    assert_int_equal(option_of(socket, GENTCP_OPT_PACKET), GENTCP_HTTPH);
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_PACKET(GENTCP_HTTP_BIN))));
    assert_int_equal(option_of(socket, GENTCP_OPT_PACKET), GENTCP_HTTP);
    assert_ok(gentcp_setopts(socket, gentcp_options(GENTCP_PACKET(GENTCP_HTTPH_BIN))));
    assert_int_equal(option_of(socket, GENTCP_OPT_PACKET), GENTCP_HTTPH);
    close(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(requests),
        TEST(responses),
        TEST(header_fields),
        TEST(lines_in_error_are_told_as_they_came),
        TEST(zeros_within_a_text_are_counted_by_its_size),
        TEST(the_line_after_the_end_of_the_header_fields_is_a_request_again),
        TEST(an_active_socket_tells_each_line_in_a_message),
        TEST(httph_has_header_fields_only),
        TEST(after_an_error_reading_goes_on_with_the_next_line),
        TEST(each_line_counts_as_a_message),
        TEST(a_body_is_received_raw_and_lines_follow_it),
        TEST(the_type_can_change_between_header_fields),
        TEST(the_line_stays_as_it_came_beside_what_it_says),
        TEST(other_packets_say_nothing_of_http),
        TEST(a_listener_hands_the_type_down),
        TEST(however_the_stream_is_split_its_events_are_the_same),
        TEST(an_unfinished_line_is_kept_by_a_timeout_and_dropped_at_the_end),
        TEST(a_line_is_as_long_as_packet_size_or_else_as_buffer_or_else_64_KiB),
        TEST(an_active_socket_ends_with_emsgsize_at_a_line_that_is_too_long),
        TEST(the_type_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
