"""The drop box for results: both ends of it, and who may hand in what.

    STORE/submissions/     mode 1733, the service user's: anybody may put a file, nobody else may list
        .ID.part           being written
        ID.json            {"munge": "MUNGE:…:" or null, "payload": "the submission as JSON text"}

`drop` is the user's end, `collect` the service's, `judge` says what becomes of what was collected.
Whatever lies in the box is hostile until it has been through `collect`, and its texts stay so.
"""
