/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>

#include "sys/error.h"

/* Where a system has one number for two names the row that comes first gives it, as in OTP. */
static const struct {
    int error;
    const char *name;
} names[] = {
    {GT_CLOSED, "closed"},
    {GT_TIMEOUT, "timeout"},
    {GT_NOT_OWNER, "not_owner"},
    {GT_BADARG, "badarg"},
    {GT_NXDOMAIN, "nxdomain"},
    /* POSIX */
    {-E2BIG, "e2big"},
    {-EACCES, "eacces"},
    {-EADDRINUSE, "eaddrinuse"},
    {-EADDRNOTAVAIL, "eaddrnotavail"},
    {-EAFNOSUPPORT, "eafnosupport"},
    {-EAGAIN, "eagain"},
    {-EALREADY, "ealready"},
    {-EBADF, "ebadf"},
    {-EBADMSG, "ebadmsg"},
    {-EBUSY, "ebusy"},
    {-ECANCELED, "ecanceled"},
    {-ECHILD, "echild"},
    {-ECONNABORTED, "econnaborted"},
    {-ECONNREFUSED, "econnrefused"},
    {-ECONNRESET, "econnreset"},
    {-EDEADLK, "edeadlk"},
    {-EDESTADDRREQ, "edestaddrreq"},
    {-EDOM, "edom"},
    {-EDQUOT, "edquot"},
    {-EEXIST, "eexist"},
    {-EFAULT, "efault"},
    {-EFBIG, "efbig"},
    {-EHOSTUNREACH, "ehostunreach"},
    {-EIDRM, "eidrm"},
    {-EILSEQ, "eilseq"},
    {-EINPROGRESS, "einprogress"},
    {-EINTR, "eintr"},
    {-EINVAL, "einval"},
    {-EIO, "eio"},
    {-EISCONN, "eisconn"},
    {-EISDIR, "eisdir"},
    {-ELOOP, "eloop"},
    {-EMFILE, "emfile"},
    {-EMLINK, "emlink"},
    {-EMSGSIZE, "emsgsize"},
    {-ENAMETOOLONG, "enametoolong"},
    {-ENETDOWN, "enetdown"},
    {-ENETRESET, "enetreset"},
    {-ENETUNREACH, "enetunreach"},
    {-ENFILE, "enfile"},
    {-ENOBUFS, "enobufs"},
    {-ENODEV, "enodev"},
    {-ENOENT, "enoent"},
    {-ENOEXEC, "enoexec"},
    {-ENOLCK, "enolck"},
    {-ENOMEM, "enomem"},
    {-ENOMSG, "enomsg"},
    {-ENOPROTOOPT, "enoprotoopt"},
    {-ENOSPC, "enospc"},
    {-ENOSYS, "enosys"},
    {-ENOTCONN, "enotconn"},
    {-ENOTDIR, "enotdir"},
    {-ENOTEMPTY, "enotempty"},
    {-ENOTRECOVERABLE, "enotrecoverable"},
    {-ENOTSOCK, "enotsock"},
    {-ENOTSUP, "enotsup"},
    {-ENOTTY, "enotty"},
    {-ENXIO, "enxio"},
    {-EOVERFLOW, "eoverflow"},
    {-EOWNERDEAD, "eownerdead"},
    {-EPERM, "eperm"},
    {-EPIPE, "epipe"},
    {-EPROTO, "eproto"},
    {-EPROTONOSUPPORT, "eprotonosupport"},
    {-EPROTOTYPE, "eprototype"},
    {-ERANGE, "erange"},
    {-EROFS, "erofs"},
    {-ESPIPE, "espipe"},
    {-ESRCH, "esrch"},
    {-ESTALE, "estale"},
    {-ETIMEDOUT, "etimedout"},
    {-ETXTBSY, "etxtbsy"},
    {-EXDEV, "exdev"},
/* Of these some systems lack some. */
#ifdef EADV
    {-EADV, "eadv"},
#endif
#ifdef EBADE
    {-EBADE, "ebade"},
#endif
#ifdef EBADFD
    {-EBADFD, "ebadfd"},
#endif
#ifdef EBADR
    {-EBADR, "ebadr"},
#endif
#ifdef EBADRQC
    {-EBADRQC, "ebadrqc"},
#endif
#ifdef EBADSLT
    {-EBADSLT, "ebadslt"},
#endif
#ifdef EBFONT
    {-EBFONT, "ebfont"},
#endif
#ifdef ECHRNG
    {-ECHRNG, "echrng"},
#endif
#ifdef ECOMM
    {-ECOMM, "ecomm"},
#endif
#ifdef EDOTDOT
    {-EDOTDOT, "edotdot"},
#endif
#ifdef EHOSTDOWN
    {-EHOSTDOWN, "ehostdown"},
#endif
#ifdef EHWPOISON
    {-EHWPOISON, "ehwpoison"},
#endif
#ifdef EISNAM
    {-EISNAM, "eisnam"},
#endif
#ifdef EKEYEXPIRED
    {-EKEYEXPIRED, "ekeyexpired"},
#endif
#ifdef EKEYREJECTED
    {-EKEYREJECTED, "ekeyrejected"},
#endif
#ifdef EKEYREVOKED
    {-EKEYREVOKED, "ekeyrevoked"},
#endif
#ifdef EL2HLT
    {-EL2HLT, "el2hlt"},
#endif
#ifdef EL2NSYNC
    {-EL2NSYNC, "el2nsync"},
#endif
#ifdef EL3HLT
    {-EL3HLT, "el3hlt"},
#endif
#ifdef EL3RST
    {-EL3RST, "el3rst"},
#endif
#ifdef ELIBACC
    {-ELIBACC, "elibacc"},
#endif
#ifdef ELIBBAD
    {-ELIBBAD, "elibbad"},
#endif
#ifdef ELIBEXEC
    {-ELIBEXEC, "elibexec"},
#endif
#ifdef ELIBMAX
    {-ELIBMAX, "elibmax"},
#endif
#ifdef ELIBSCN
    {-ELIBSCN, "elibscn"},
#endif
#ifdef ELNRNG
    {-ELNRNG, "elnrng"},
#endif
#ifdef EMEDIUMTYPE
    {-EMEDIUMTYPE, "emediumtype"},
#endif
#ifdef EMULTIHOP
    {-EMULTIHOP, "emultihop"},
#endif
#ifdef ENAVAIL
    {-ENAVAIL, "enavail"},
#endif
#ifdef ENOANO
    {-ENOANO, "enoano"},
#endif
#ifdef ENOCSI
    {-ENOCSI, "enocsi"},
#endif
#ifdef ENODATA
    {-ENODATA, "enodata"},
#endif
#ifdef ENOKEY
    {-ENOKEY, "enokey"},
#endif
#ifdef ENOLINK
    {-ENOLINK, "enolink"},
#endif
#ifdef ENOMEDIUM
    {-ENOMEDIUM, "enomedium"},
#endif
#ifdef ENONET
    {-ENONET, "enonet"},
#endif
#ifdef ENOPKG
    {-ENOPKG, "enopkg"},
#endif
#ifdef ENOSR
    {-ENOSR, "enosr"},
#endif
#ifdef ENOSTR
    {-ENOSTR, "enostr"},
#endif
#ifdef ENOTBLK
    {-ENOTBLK, "enotblk"},
#endif
#ifdef ENOTNAM
    {-ENOTNAM, "enotnam"},
#endif
#ifdef ENOTUNIQ
    {-ENOTUNIQ, "enotuniq"},
#endif
#ifdef EPFNOSUPPORT
    {-EPFNOSUPPORT, "epfnosupport"},
#endif
#ifdef EREMCHG
    {-EREMCHG, "eremchg"},
#endif
#ifdef EREMOTE
    {-EREMOTE, "eremote"},
#endif
#ifdef EREMOTEIO
    {-EREMOTEIO, "eremoteio"},
#endif
#ifdef ERESTART
    {-ERESTART, "erestart"},
#endif
#ifdef ERFKILL
    {-ERFKILL, "erfkill"},
#endif
#ifdef ESHUTDOWN
    {-ESHUTDOWN, "eshutdown"},
#endif
#ifdef ESOCKTNOSUPPORT
    {-ESOCKTNOSUPPORT, "esocktnosupport"},
#endif
#ifdef ESRMNT
    {-ESRMNT, "esrmnt"},
#endif
#ifdef ESTRPIPE
    {-ESTRPIPE, "estrpipe"},
#endif
#ifdef ETIME
    {-ETIME, "etime"},
#endif
#ifdef ETOOMANYREFS
    {-ETOOMANYREFS, "etoomanyrefs"},
#endif
#ifdef EUCLEAN
    {-EUCLEAN, "euclean"},
#endif
#ifdef EUNATCH
    {-EUNATCH, "eunatch"},
#endif
#ifdef EUSERS
    {-EUSERS, "eusers"},
#endif
#ifdef EXFULL
    {-EXFULL, "exfull"},
#endif
#ifdef EOPNOTSUPP
    {-EOPNOTSUPP, "eopnotsupp"},
#endif
};

const char *gt_error_name(int error) {
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].error == error)
            return names[i].name;
    return "unknown";
}
