"""The words of the generated lender: names, employers, and what Chinese banks write on statement lines. All invented or common.

Statement texts are one vocabulary, so a line carries two integers. A text that
depends on something (month, card tail, employer) is a row of texts: its code is
the first one's plus an offset.
"""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa

from qqloan_cli.generate import identity
from qqloan_cli.generate.regions import CURRENT

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文"
_MEN = "伟强磊军勇杰涛明超刚平辉鹏华飞波斌健宇浩凯俊峰亮建志国文海德天博子轩宁东林成龙永庆春振昌荣民安嘉泽睿晨"
_WOMEN = "芳娜敏静丽艳娟霞秀燕玲桂英丹萍红玉梅琳雪慧洁莉婷晶颖倩莹佳欣怡梦瑶雨诗琪淑珍凤云兰蓉菲薇月馨璐瑞雅文宁"

_CITIES = "北京 上海 广州 深圳 杭州 南京 苏州 成都 武汉 西安 重庆 天津 青岛 大连 厦门 宁波 长沙 郑州 合肥 福州 济南 沈阳 昆明 南昌 无锡 佛山 东莞 常州 温州 嘉兴 泉州 烟台 太原 石家庄 哈尔滨 长春 贵阳 南宁 海口 珠海".split()
_BRANDS = "云启 恒瑞源 华耀 锦程 鼎盛达 博远 天衡 明德信 启航者 中岚 星途 瑞禾 安泰隆 海岳 金诺 宏图远 睿思 泰和兴 信达通 联创优 盛世佳 新辰 优力 智汇谷 远景祥 康悦 同辉 嘉禾田 万象里 众合力 方圆记 腾远 凌云志 正阳 卓凡 永固 润泽丰 百川汇 汇智成 领峰 力拓行 晟业 合纵 景明 和润 沐川 思源水 开拓者 兴邦 朗月".split()
_TRADES = "科技 信息技术 网络科技 电子 机械制造 建筑工程 装饰工程 物流 供应链管理 商贸 贸易 餐饮管理 教育科技 医药 医疗器械 生物科技 新能源 环保科技 汽车零部件 食品 服饰 纺织 物业管理 人力资源 文化传媒 广告 酒店管理 化工 材料科技 半导体".split()
_FORMS = "有限公司 有限公司 有限公司 有限责任公司 股份有限公司 集团有限公司".split()
_PUBLIC = "第一中学 第三中学 实验小学 人民医院 中心医院 图书馆 环境监测站 市政养护中心".split()

MERCHANTS = (
    "支付宝-淘宝网 支付宝-天猫超市 支付宝-饿了么 微信支付-美团外卖 微信支付-滴滴出行 微信支付-永辉超市 财付通-微信转账 京东商城 拼多多 沃尔玛超市 "
    "华润万家 盒马鲜生 中国石化加油站 中国移动 中国电信 国家电网 自来水公司 肯德基 星巴克 携程旅行 铁路12306 大药房 电影院 小区便利店 菜市场 优衣库"
).split()
MERCHANT_MEMOS = "支付宝消费 支付宝消费 支付宝消费 微信支付 微信支付 微信支付 微信支付 网上消费 网上消费 消费 消费 消费 消费 话费充值 话费充值 电费 水费 消费 消费 网上购票 网上购票 消费 消费 消费 消费 消费".split()
LENDERS = {
    "mortgage": "中国工商银行 中国建设银行 中国农业银行 中国银行 交通银行".split(),
    "car_loan": "上汽通用汽车金融 平安银行 建信汽车分期 大众汽车金融".split(),
    "consumer_loan": "招商银行 招联消费金融 马上消费金融 兴业消费金融 中银消费金融 宁波银行".split(),
    "microloan": "蚂蚁借呗 微众银行微粒贷 京东金条 度小满 美团借钱 三六零数科".split(),
    "business_loan": "网商银行 中国邮政储蓄银行 台州银行 泰隆银行".split(),
    "credit_card": "招商银行信用卡 中信银行信用卡 广发银行信用卡 浦发银行信用卡 交通银行信用卡 平安银行信用卡 中国工商银行信用卡".split(),
    "quasi_card": "中国农业银行准贷记卡 中国银行准贷记卡".split(),
    "student_loan": "国家开发银行".split(),
}
REPAYMENTS = {
    "mortgage": "房贷还款", "car_loan": "车贷还款", "consumer_loan": "贷款还款", "microloan": "借呗还款",
    "business_loan": "贷款还款", "student_loan": "助学贷款还款",
}
BLOCK_REASONS = "confirmed fraud,lost or stolen document,court enforcement,sold accounts,long overdue elsewhere".split(",")

EMPLOYERS = 6_000
PEOPLE = 4_000  # private persons who appear on the other side of a line
CIRCLE_FIRMS = 40  # firms that pay in what goes out again


def given_names(characters: str) -> list[str]:
    """Given names of one and two characters."""
    return list(characters) + [a + b for a in characters for b in characters if a != b]


@functools.cache
def name_parts() -> tuple[pa.Array, np.ndarray, pa.Array, pa.Array]:
    """(surnames, cumulative shares, men's given names, women's): common surnames are common."""
    weight = 1 / (np.arange(len(SURNAMES)) + 6)
    return pa.array(list(SURNAMES)), np.cumsum(weight / weight.sum()), pa.array(given_names(_MEN)), pa.array(given_names(_WOMEN))


@functools.cache
def employers() -> tuple[pa.Array, np.ndarray]:
    """(names, (n, 18) credit codes) of the employers, the same in every lender; the last CIRCLE_FIRMS exist on paper alone."""
    rng = np.random.Generator(np.random.Philox(key=[20_261_124, 0]))
    names: dict[str, bool] = {}
    draws = rng.random((EMPLOYERS * 2, 5))
    for city, brand, trade, form, public in draws.tolist():
        town = _CITIES[int(city * len(_CITIES))]
        if public < 0.06:
            name = f"{town}市{_BRANDS[int(brand * len(_BRANDS))][:2]}{_PUBLIC[int(trade * len(_PUBLIC))]}"
        else:
            name = f"{town}{_BRANDS[int(brand * len(_BRANDS))]}{_TRADES[int(trade * len(_TRADES))]}{_FORMS[int(form * len(_FORMS))]}"
        names.setdefault(name, public < 0.06)
        if len(names) == EMPLOYERS:
            break
    count = len(names)
    kinds = identity.ascii_rows(["12" if public else "91" for public in names.values()])
    regions = identity.ascii_rows(CURRENT)[rng.integers(0, len(CURRENT), count)]
    numbers = identity.scattered(np.arange(count), 10**8, 73_939_133, 31_415_927)
    return pa.array(list(names)), identity.credit_codes(kinds, regions, numbers)


class Texts:
    """Everything that can stand as memo or other side of a statement line, and where it is in ``all``."""

    def __init__(self) -> None:
        parts: list[str] = []

        def add(*texts: str) -> int:
            parts.extend(texts)
            return len(parts) - len(texts)

        months = range(1, 13)
        # pay: a style is a row of twelve, by month
        self.pay = np.array([
            add(*["工资"] * 12), add(*["代发工资"] * 12), add(*[f"{m}月工资" for m in months]), add(*["薪资"] * 12),
            add(*[f"代发{m}月薪酬" for m in months]), add(*["工资奖金"] * 12), add(*["月薪"] * 12), add(*["转账"] * 12),
        ])
        self.bonus = np.array([add("奖金"), add("季度奖"), add("年终奖"), add("绩效奖金")])
        self.pension, self.insurance = np.array([add("养老金"), add("代发养老金"), add("退休金")]), add("社保局")
        self.unemployed = add("失业保险金")
        self.business = np.array([add("收钱码经营收款"), add("商户结算"), add("二维码收款"), add("货款")])
        self.business_from = np.array([add("支付宝商家结算"), add("财付通商户结算"), add("收钱吧"), add("商户客户")])
        self.gig = np.array([add("劳务费"), add("平台结算"), add("劳务费结算")])
        self.gig_from = np.array([add("骑手结算平台"), add("货运结算平台"), add("家政结算平台"), add("网约车结算平台")])
        self.supplies = np.array([add("进货款"), add("货款支付"), add("材料款")])
        self.rent = np.array([add("房租"), add("租金"), add("房租水电")])
        self.repayments = {kind: add(text) for kind, text in REPAYMENTS.items()}
        self.weilidai, self.card, self.huabei = add("微粒贷还款"), np.array([add("信用卡还款"), add("信用卡自动还款"), add("还信用卡")]), add("花呗还款")
        self.proceeds = np.array([add("借呗放款"), add("贷款发放"), add("微粒贷放款")])
        self.lenders = {kind: add(*names) for kind, names in LENDERS.items()}
        self.merchants, self.merchant_memos = add(*MERCHANTS), add(*MERCHANT_MEMOS)
        self.refund = np.array([add("退款"), add("淘宝退款"), add("交易退款"), add("退货退款")])
        self.own_out = np.array([add(*[f"转出至本人账户尾号{t:04d}" for t in range(10_000)]), add(*[f"本人转账 尾号{t:04d}" for t in range(10_000)])])
        self.own_in = np.array([add(*[f"本人转入 尾号{t:04d}" for t in range(10_000)]), add(*[f"本人账户转入 尾号{t:04d}" for t in range(10_000)])])
        self.wallet_in = np.array([add("余额提现"), add("零钱提现"), add("余额宝转出")])
        self.wallets = np.array([add("支付宝"), add("财付通"), add("支付宝-余额宝")])
        self.interest, self.bank = np.array([add("结息"), add("利息"), add("利息入账")]), add("本行")
        self.fund, self.fund_from = np.array([add("公积金提取"), add("住房公积金提取")]), add("住房公积金管理中心")
        self.claim = np.array([add("报销"), add("差旅费报销"), add("费用报销")])
        self.cash_out, self.cash_in, self.atm = add("ATM取款"), add("现金存入"), add("自助设备")
        self.transfer = np.array([add("转账"), add("转账"), add("生活费"), add("还钱"), add("红包")])
        self.fund_buy, self.fund_sell, self.broker = add("基金申购"), add("基金赎回"), add("基金管理有限公司")
        self.gamble, self.gamble_to = np.array([add("网上投注"), add("彩票投注"), add("棋牌充值")]), np.array([add("体育彩票代销"), add("某棋牌游戏"), add("境外投注平台")])
        rng = np.random.Generator(np.random.Philox(key=[20_261_124, 1]))
        men, women = given_names(_MEN), given_names(_WOMEN)
        self.people = add(*[
            SURNAMES[int(a * len(SURNAMES))] + (pool := men if b < 0.5 else women)[int(c * len(pool))] for a, b, c in rng.random((PEOPLE, 3)).tolist()
        ])
        self.employers = len(parts)
        self.all = pa.concat_arrays([pa.array(parts), employers()[0]])


@functools.cache
def texts() -> Texts:
    return Texts()
