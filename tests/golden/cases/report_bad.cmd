mkdir empty; stowage report empty; echo $?
mkdir other; echo '{"schema": "stowage.report/99"}' >other/report.json; stowage report other; echo $?
mkdir torn; echo '{"schema": "stowage.report/1", "title": 3}' >torn/report.json; stowage report torn; echo $?
stowage report; echo $?
