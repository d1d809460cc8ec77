/* SPDX-License-Identifier: Apache-2.0 */
/* The packet types, a row each. Included with GT_PACKET_ROW defined; each inclusion expands the rows.
 *
 *   part     of sys/config.h: the row is there if that part is
 *   C        what C programs call it, after GENTCP_
 *   name     as gen_tcp spells it; a digit is an integer
 *   width    of the big-endian length that goes before each packet: written when sending, taken off when receiving
 *   reader   for types whose packets have a header of their own, which tells their length; see packet.c */
/* clang-format off */
/*            part     enum       C           name        width  reader */
GT_PACKET_ROW(ALWAYS,  RAW,       RAW,        "0",         0,    NULL)
GT_PACKET_ROW(ALWAYS,  1,         PACKET_1,   "1",         1,    NULL)
GT_PACKET_ROW(ALWAYS,  2,         PACKET_2,   "2",         2,    NULL)
GT_PACKET_ROW(ALWAYS,  4,         PACKET_4,   "4",         4,    NULL)
GT_PACKET_ROW(LINE,    LINE,      LINE,       "line",      0,    NULL)
GT_PACKET_ROW(RECORDS, ASN1,      ASN1,       "asn1",      0,    read_asn1)
GT_PACKET_ROW(RECORDS, SUNRM,     SUNRM,      "sunrm",     0,    read_sunrm)
GT_PACKET_ROW(RECORDS, CDR,       CDR,        "cdr",       0,    read_cdr)
GT_PACKET_ROW(RECORDS, FCGI,      FCGI,       "fcgi",      0,    read_fcgi)
GT_PACKET_ROW(RECORDS, TPKT,      TPKT,       "tpkt",      0,    read_tpkt)
GT_PACKET_ROW(HTTP,    HTTP,      HTTP,       "http",      0,    NULL) /* read by engine/http.h; _BIN: its texts are binaries, for hosts */
GT_PACKET_ROW(HTTP,    HTTPH,     HTTPH,      "httph",     0,    NULL) /* header fields only */
GT_PACKET_ROW(HTTP,    HTTP_BIN,  HTTP_BIN,   "http_bin",  0,    NULL)
GT_PACKET_ROW(HTTP,    HTTPH_BIN, HTTPH_BIN,  "httph_bin", 0,    NULL)
/* clang-format on */
