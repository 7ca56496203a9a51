#!/bin/bash
# Stand-in for the agent's own: keeps the listener, and hands a signal on.
trap 'kill -INT $PID' TERM INT
./bin/Runner.Listener run --startuptype service &
PID=$!
wait $PID
trap - TERM INT
wait $PID
