:- use_module(library(http/thread_httpd)).
:- use_module(library(http/http_dispatch)).
:- use_module(library(http/websocket)).

:- http_handler(root(.), http_upgrade_to_websocket(echo, []), [spawn([])]).
:- http_handler(root(refuse), refuse, []).

refuse(_) :-
    format("Status: 403 Forbidden~nContent-type: text/plain~n~nnot today~n").

echo(WebSocket) :-
    ws_receive(WebSocket, Message),
    (   Message.opcode == close
    ->  true
    ;   Message.opcode == text,
        split_string(Message.data, " ", "", ["close", Text|Words])
    ->  number_string(Code, Text),
        atomic_list_concat(Words, ' ', Reason),
        ws_close(WebSocket, Code, Reason)
    ;   ws_send(WebSocket, Message),
        echo(WebSocket)
    ).

:- initialization((
       current_prolog_flag(argv, Arguments),
       last(Arguments, Text),
       atom_number(Text, Port),
       http_server(http_dispatch, [port('127.0.0.1':Port)]),
       on_signal(term, _, stop),
       thread_get_message(_)
   ), main).

stop(_) :- halt.
