// What both pages call things.
"use strict";

const queueNames = { consult: "业务咨询", repair: "故障报修", "gas-alarm": "燃气报警", complaint: "投诉建议" };
const queueName = (name) => queueNames[name] || name;
