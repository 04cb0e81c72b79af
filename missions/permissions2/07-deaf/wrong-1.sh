# why: counter still runs
pkill -KILL -x counter
