/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of http as terms: those of erlang:decode_packet/3. Methods and fields that it has atoms for are atoms. */
#include <string.h>

#include "hosts/erlang/terms.h"

enum { METHODS_MAX = 16, FIELDS_MAX = 64 };

static struct {
    ERL_NIF_TERM request, response, header, end, error, star, abs_path, absolute_uri, scheme, http, https, undefined;
    ERL_NIF_TERM methods[METHODS_MAX], fields[FIELDS_MAX];
} atom;

static void start_names(ErlNifEnv *env, const char *const *names, ERL_NIF_TERM *atoms, int max) {
    for (int i = 0; i < max && names[i] != NULL; i++)
        atoms[i] = enif_make_atom(env, names[i]);
}

void otp_http_start(ErlNifEnv *env) {
    atom.request = enif_make_atom(env, "http_request");
    atom.response = enif_make_atom(env, "http_response");
    atom.header = enif_make_atom(env, "http_header");
    atom.end = enif_make_atom(env, "http_eoh");
    atom.error = enif_make_atom(env, "http_error");
    atom.star = enif_make_atom(env, "*");
    atom.abs_path = enif_make_atom(env, "abs_path");
    atom.absolute_uri = enif_make_atom(env, "absoluteURI");
    atom.scheme = enif_make_atom(env, "scheme");
    atom.http = enif_make_atom(env, "http");
    atom.https = enif_make_atom(env, "https");
    atom.undefined = enif_make_atom(env, "undefined");
    start_names(env, gt_http_methods, atom.methods, METHODS_MAX);
    start_names(env, gt_http_fields, atom.fields, FIELDS_MAX);
}

static ERL_NIF_TERM text_term(ErlNifEnv *env, gt_text text, bool binaries) {
    ERL_NIF_TERM term;

    if (!binaries)
        return enif_make_string_len(env, (const char *)text.bytes, text.size, ERL_NIF_LATIN1);
    if (text.size == 0)
        (void)enif_make_new_binary(env, 0, &term);
    else
        memcpy(enif_make_new_binary(env, text.size, &term), text.bytes, text.size);
    return term;
}

static ERL_NIF_TERM uri_term(ErlNifEnv *env, const gt_http *http, bool binaries) {
    ERL_NIF_TERM text = text_term(env, http->text, binaries);

    switch ((enum gt_http_uri)http->uri) {
    case GT_HTTP_URI_STAR:
        return atom.star;
    case GT_HTTP_URI_PATH:
        return enif_make_tuple2(env, atom.abs_path, text);
    case GT_HTTP_URI_HTTP:
    case GT_HTTP_URI_HTTPS:
        return enif_make_tuple5(env, atom.absolute_uri, http->uri == GT_HTTP_URI_HTTP ? atom.http : atom.https,
                                text_term(env, http->host, binaries),
                                http->port == 0 ? atom.undefined : enif_make_uint(env, http->port), text);
    case GT_HTTP_URI_SCHEME:
        return enif_make_tuple3(env, atom.scheme, text_term(env, http->host, binaries), text);
    case GT_HTTP_URI_OTHER:
        break;
    }
    return text;
}

static ERL_NIF_TERM version_term(ErlNifEnv *env, const gt_http *http) {
    return enif_make_tuple2(env, enif_make_int(env, http->major), enif_make_int(env, http->minor));
}

/* An atom if OTP has one. */
static ERL_NIF_TERM name_term(ErlNifEnv *env, const gt_http *http, const ERL_NIF_TERM *atoms, bool binaries) {
    return http->known >= 0 ? atoms[http->known] : text_term(env, http->name, binaries);
}

ERL_NIF_TERM otp_http_term(ErlNifEnv *env, const gt_http *http, bool binaries) {
    switch (http->kind) {
    case GT_HTTP_REQUEST:
        return enif_make_tuple4(env, atom.request, name_term(env, http, atom.methods, binaries),
                                uri_term(env, http, binaries), version_term(env, http));
    case GT_HTTP_RESPONSE:
        return enif_make_tuple4(env, atom.response, version_term(env, http), enif_make_int(env, http->status),
                                text_term(env, http->text, binaries));
    case GT_HTTP_HEADER:
        return enif_make_tuple5(env, atom.header, enif_make_int(env, http->known + 1),
                                name_term(env, http, atom.fields, binaries), text_term(env, http->sent, binaries),
                                text_term(env, http->text, binaries));
    case GT_HTTP_END:
        return atom.end;
    default:
        return enif_make_tuple2(env, atom.error, text_term(env, http->text, binaries));
    }
}
