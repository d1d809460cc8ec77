# SPDX-License-Identifier: Apache-2.0
# What the libraries and programs are made of. A source file that stands in no list is an error, so that none is left
# out by mistake.
set(engine_sources
    sys/error.c
    sys/lock.c
    sys/posix.c
    sys/sendfile.c
    pollers/epoll.c
    pollers/poll.c
    pollers/poller.c
    engine/accept.c
    engine/establish.c
    engine/http.c
    engine/info.c
    engine/life.c
    engine/options.c
    engine/packet.c
    engine/receive.c
    engine/send.c
    engine/sendfile.c
    engine/set_options.c)
set(host_atomvm_sources
    hosts/atomvm/data.c
    hosts/atomvm/driver.c
    hosts/atomvm/enif.c
    hosts/atomvm/host.c
    hosts/atomvm/letter.c
    hosts/atomvm/lookup.c
    hosts/atomvm/nif.c
    hosts/atomvm/owner.c)
set(host_c_sources
    hosts/c/address.c
    hosts/c/block.c
    hosts/c/data.c
    hosts/c/host.c
    hosts/c/http.c
    hosts/c/inspect.c
    hosts/c/mailbox.c
    hosts/c/memory.c
    hosts/c/messages.c
    hosts/c/monitor.c
    hosts/c/open.c
    hosts/c/options.c
    hosts/c/process.c
    hosts/c/resolve.c
    hosts/c/socket.c
    hosts/c/table.c
    hosts/c/transfer.c
    hosts/c/wait.c)
# For every host.
set(host_names_sources hosts/names/lookup.c)
# Terms of options and addresses, for every VM that has the functions of erl_nif.h.
set(host_erlang_sources
    hosts/erlang/addresses.c
    hosts/erlang/http.c
    hosts/erlang/terms.c)
set(host_otp_sources
    hosts/otp/data.c
    hosts/otp/driver.c
    hosts/otp/host.c
    hosts/otp/inspect.c
    hosts/otp/monitor.c
    hosts/otp/nif.c
    hosts/otp/open.c
    hosts/otp/outbox.c)
set(examples_programs chat_server echo_server first http_server rpc_client rpc_server)
set(demo_programs exchange_client exchange_server)
set(echo_programs client epoll_server gentcp_server)

# gentcp_all_listed(LIST GLOB...): every such file is in the list.
function(gentcp_all_listed list)
    file(GLOB found RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS ${ARGN})
    list(REMOVE_ITEM found ${${list}})
    if(found)
        message(FATAL_ERROR "Not in ${list}: ${found}")
    endif()
endfunction()

gentcp_all_listed(engine_sources sys/*.c pollers/*.c engine/*.c)
gentcp_all_listed(host_atomvm_sources hosts/atomvm/*.c)
gentcp_all_listed(host_c_sources hosts/c/*.c)
gentcp_all_listed(host_names_sources hosts/names/*.c)
gentcp_all_listed(host_erlang_sources hosts/erlang/*.c)
gentcp_all_listed(host_otp_sources hosts/otp/*.c)
